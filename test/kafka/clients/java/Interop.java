// kafka-clients, Apache Kafka's own client: judge.py's protocol.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Interop {
    static final String HAS = "codec=gzip codec=snappy codec=lz4 codec=zstd acks=0 acks=1 acks=all idempotent null-header"
        + " repeated-header null-both time transact etl etl-group create partitions list config alter grow trim delete"
        + " group=range group=cooperative-sticky static";
    static final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    static final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    static final Admin admin = Admin.create(login());

    static Map<String, Object> login() {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP"));
        settings.put("security.protocol", "SASL_PLAINTEXT");
        settings.put("sasl.mechanism", "SCRAM-SHA-256");
        settings.put("sasl.jaas.config", String.format(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";",
            System.getenv("KAFKA_USER"), System.getenv("KAFKA_PASSWORD")));
        return settings;
    }

    static byte[] decoded(String text) {
        return text.equals("-") ? null : HexFormat.of().parseHex(text);
    }

    static String coded(byte[] data) {
        return data == null ? "-" : HexFormat.of().formatHex(data);
    }

    static List<Header> headers(String text) {
        List<Header> headers = new ArrayList<>();
        if (!text.equals("."))
            for (String pair : text.split(",")) {
                String[] parts = pair.split("=", -1);
                headers.add(new RecordHeader(new String(decoded(parts[0]), StandardCharsets.UTF_8), decoded(parts[1])));
            }
        return headers;
    }

    static void produce(String topic, String codec, String acks, boolean idempotent, int many) throws Exception {
        Map<String, Object> settings = login();
        settings.put("compression.type", codec);
        settings.put("acks", acks);
        settings.put("enable.idempotence", idempotent);
        settings.put("linger.ms", 20);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int n = 0; n < many; n++) {
                String[] w = in.readLine().split("\t", -1);
                sent.add(producer.send(new ProducerRecord<>(topic, Integer.parseInt(w[0]), Long.parseLong(w[2]),
                    decoded(w[3]), decoded(w[4]), headers(w[5]))));
            }
            producer.flush();
            for (Future<RecordMetadata> one : sent) {
                RecordMetadata place = one.get();
                if (!acks.equals("0"))
                    out.println(place.partition() + " " + place.offset());
            }
        }
    }

    static void consume(String topic, int partition, String from, int many) throws Exception {
        Map<String, Object> settings = login();
        settings.put("fetch.max.wait.ms", from.equals("end") ? 20000 : 500);
        settings.put("enable.auto.commit", false);
        TopicPartition place = new TopicPartition(topic, partition);
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(place));
            if (from.equals("beginning")) {
                consumer.seekToBeginning(List.of(place));
            } else if (from.equals("end")) {
                consumer.seekToEnd(List.of(place));
                consumer.position(place);
                out.println("waiting");
            } else {
                consumer.seek(place, consumer.offsetsForTimes(Map.of(place, Long.parseLong(from))).get(place).offset());
            }
            long until = System.currentTimeMillis() + 30000;
            while (many > 0 && System.currentTimeMillis() < until)
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofSeconds(30))) {
                    List<String> pairs = new ArrayList<>();
                    for (Header h : r.headers())
                        pairs.add(coded(h.key().getBytes(StandardCharsets.UTF_8)) + "=" + coded(h.value()));
                    out.println(r.partition() + "\t" + r.offset() + "\t" + r.timestamp() + "\t" + coded(r.key()) + "\t"
                        + coded(r.value()) + "\t" + (pairs.isEmpty() ? "." : String.join(",", pairs)));
                    many--;
                }
        }
    }

    static KafkaProducer<byte[], byte[]> transactional(String name) {
        Map<String, Object> settings = login();
        settings.put("transactional.id", name);
        settings.put("linger.ms", 5);
        var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        producer.initTransactions();
        return producer;
    }

    static void transact(String name, String topic, int many) {
        try (var producer = transactional(name)) {
            for (int t = 0; t < many; t++) {
                producer.beginTransaction();
                for (int n = 0; n < 4; n++)
                    producer.send(new ProducerRecord<>(topic, n % 2, null, (name + "-" + t + "-" + n).getBytes(StandardCharsets.UTF_8)));
                producer.flush();
                if (t % 3 == 2)
                    producer.abortTransaction();
                else
                    producer.commitTransaction();
            }
        }
    }

    static void fence(String name, String topic) {
        var first = transactional(name);
        var second = transactional(name);
        try {
            first.beginTransaction();
            first.send(new ProducerRecord<>(topic, 0, null, new byte[] {1}));
            first.commitTransaction();
        } catch (ProducerFencedException | InvalidProducerEpochException problem) {
            out.println("fenced");
        }
        first.close(Duration.ofSeconds(1));
        second.close();
    }

    static void etl(String name, String source, String sink, String group, int many) {
        Map<String, Object> settings = login();
        settings.put("enable.auto.commit", false);
        settings.put("isolation.level", "read_committed");
        settings.put("group.id", group);
        settings.put("max.poll.records", 10);
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            var producer = transactional(name)) {
            consumer.assign(List.of(new TopicPartition(source, 0), new TopicPartition(source, 1)));
            consumer.seekToBeginning(consumer.assignment());
            long until = System.currentTimeMillis() + 30000;
            while (many > 0 && System.currentTimeMillis() < until) {
                var records = consumer.poll(Duration.ofSeconds(10));
                if (records.isEmpty())
                    continue;
                producer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> places = new HashMap<>();
                for (ConsumerRecord<byte[], byte[]> r : records) {
                    producer.send(new ProducerRecord<>(sink, r.partition(), null, r.value()));
                    places.put(new TopicPartition(source, r.partition()), new OffsetAndMetadata(r.offset() + 1));
                    many--;
                }
                producer.sendOffsetsToTransaction(places, consumer.groupMetadata());
                producer.commitTransaction();
            }
        }
    }

    static void member(String topic, String group, String assignor, String instance, int seconds) {
        Map<String, Object> settings = login();
        settings.put("group.id", group);
        settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer."
            + (assignor.equals("range") ? "RangeAssignor" : "CooperativeStickyAssignor"));
        if (!instance.equals("-"))
            settings.put("group.instance.id", instance);
        settings.put("session.timeout.ms", 6000);
        settings.put("heartbeat.interval.ms", 1000);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            for (long last = System.currentTimeMillis(); System.currentTimeMillis() < last + seconds * 1000L;) {
                var records = consumer.poll(Duration.ofMillis(500));
                if (records.isEmpty())
                    continue;
                for (ConsumerRecord<byte[], byte[]> r : records)
                    out.println(r.partition() + " " + r.offset());
                try {
                    consumer.commitSync();
                } catch (CommitFailedException | RebalanceInProgressException again) {
                    System.err.println(again);
                }
                last = System.currentTimeMillis();
            }
        }
    }

    static ConfigResource resource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    static void answer(String[] w) throws Exception {
        switch (w[0]) {
            case "has" -> out.println(HAS);
            case "produce" -> produce(w[1], w[2], w[3], w[4].equals("1"), Integer.parseInt(w[5]));
            case "consume" -> consume(w[1], Integer.parseInt(w[2]), w[3], Integer.parseInt(w[4]));
            case "transact" -> transact(w[1], w[2], Integer.parseInt(w[3]));
            case "fence" -> fence(w[1], w[2]);
            case "etl" -> etl(w[1], w[2], w[3], w[4], Integer.parseInt(w[5]));
            case "member" -> member(w[1], w[2], w[3], w[4], Integer.parseInt(w[5]));
            case "create" -> admin.createTopics(List.of(
                new NewTopic(w[1], Integer.parseInt(w[2]), (short) 1).configs(Map.of(w[3], w[4])))).all().get();
            case "partitions" -> out.println(admin.describeTopics(List.of(w[1])).allTopicNames().get().get(w[1]).partitions().size());
            case "list" -> admin.listTopics().names().get().forEach(out::println);
            case "config" -> out.println(admin.describeConfigs(List.of(resource(w[1]))).all().get().get(resource(w[1])).get(w[2]).value());
            case "alter" -> admin.incrementalAlterConfigs(Map.of(resource(w[1]), (Collection<AlterConfigOp>) List.of(
                new AlterConfigOp(new ConfigEntry(w[2], w[3]), AlterConfigOp.OpType.SET)))).all().get();
            case "grow" -> admin.createPartitions(Map.of(w[1], NewPartitions.increaseTo(Integer.parseInt(w[2])))).all().get();
            case "trim" -> admin.deleteRecords(Map.of(new TopicPartition(w[1], Integer.parseInt(w[2])),
                RecordsToDelete.beforeOffset(Long.parseLong(w[3])))).all().get();
            case "delete" -> admin.deleteTopics(List.of(w[1])).all().get();
            default -> throw new IllegalArgumentException(w[0]);
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (String line; (line = in.readLine()) != null;) {
            try {
                answer(line.split("\t"));
                out.println("ok");
            } catch (Exception problem) {
                out.println("error " + problem);
            }
        }
        admin.close();
    }
}
