"""monitoring-service: measures Kafka, the lake, services and the model; keeps alerts; starts a training when drift calls for one;
serves the control room.
"""
