#!/bin/bash
# kafka-run-class.sh CLASS [ARGUMENTS]: becomes a Java class on Kafka's class path.
# Environment, as upstream: KAFKA_HEAP_OPTS, KAFKA_JVM_PERFORMANCE_OPTS, KAFKA_OPTS, KAFKA_JMX_OPTS, KAFKA_LOG4J_OPTS,
# LOG_DIR, CLASSPATH, JAVA_HOME. Each of the OPTS is several words.
home=/opt/kafka
log4j=${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$home/config/tools-log4j.properties}
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" ${KAFKA_HEAP_OPTS:--Xmx256M} \
  ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true} ${KAFKA_JMX_OPTS:-} \
  "-Dkafka.logs.dir=${LOG_DIR:-/tmp}" $log4j ${KAFKA_OPTS:-} -cp "$home/libs/*${CLASSPATH:+:$CLASSPATH}" "$@"
