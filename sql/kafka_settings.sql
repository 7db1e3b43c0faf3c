-- What the settings of the Kafka listener accept.

ALTER SYSTEM SET kstream.kafka_advertised_listener = 'nonsense';
ALTER SYSTEM SET kstream.kafka_advertised_listener = ':9092';
ALTER SYSTEM SET kstream.kafka_advertised_listener = 'broker.example.org:port';
ALTER SYSTEM SET kstream.kafka_advertised_listener = 'broker.example.org:99999';
ALTER SYSTEM SET kstream.kafka_advertised_listener = 'broker.example.org:9092';
ALTER SYSTEM SET kstream.kafka_advertised_listener = '[::1]:9092';
ALTER SYSTEM SET kstream.kafka_advertised_listener = '';
ALTER SYSTEM RESET kstream.kafka_advertised_listener;
