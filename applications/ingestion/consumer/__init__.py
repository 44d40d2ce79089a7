"""kafka-consumer: every record of every topic to the bronze zone, once, as it came.

How nothing is lost and nothing stands there twice. Before an object is written, its name is committed as the metadata of
the partition's offset in Kafka (the journal); then the object is stored, unless one of that name is there; then the offset
behind it is committed. Whoever reads the partition next, after a crash or because it was taken from a consumer that hangs,
finds the name, reads the same records again and stores the same object under the same name. Kafka takes commits of the
partition's owner alone, so that two consumers never choose different objects for the same records.
"""
