import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;

import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;

/**
 * kstream from Java, through JDBC (Debian: libpostgresql-jdbc-java).
 *
 *	Client write TOPIC NUMBER			produce to partition NUMBER
 *	Client read TOPIC					print every record
 *	Client wait TOPIC PARTITION OFFSET	print what comes from there on
 *
 * JDBC gives each parameter the type of its setter; Types.OTHER leaves it to
 * the server.  Where it finds the server: PGHOST, PGPORT, PGDATABASE, PGUSER,
 * PGPASSWORD, as libpq would (JDBC itself reads none of them, and has no Unix
 * sockets).  What is printed, and which records are written:
 * test/t/060_clients.pl.
 */
public class Client
{
	static final OffsetDateTime LEAP = OffsetDateTime.parse("2024-02-29T12:34:56.789Z");

	final Connection connection;

	Client(Connection connection)
	{
		this.connection = connection;
	}

	static byte[] bytes(String latin1)
	{
		return latin1.getBytes(StandardCharsets.ISO_8859_1);
	}

	/** A string whose type the server is to find out. */
	record Untyped(String text) {}

	static Untyped untyped(String text)
	{
		return new Untyped(text);
	}

	static PGobject typed(String type, String text) throws SQLException
	{
		PGobject object = new PGobject();
		object.setType(type);
		object.setValue(text);
		return object;
	}

	static void told(boolean passed, String name)
	{
		System.out.println((passed ? "ok - " : "not ok - ") + name);
	}

	PreparedStatement prepare(String sql, Object... args) throws SQLException
	{
		PreparedStatement statement = connection.prepareStatement(sql);
		for (int i = 0; i < args.length; i++)
		{
			if (args[i] == null)
				statement.setNull(i + 1, Types.OTHER);
			else if (args[i] instanceof Untyped string)
				statement.setObject(i + 1, string.text(), Types.OTHER);
			else
				statement.setObject(i + 1, args[i]);
		}
		return statement;
	}

	long number(String sql, Object... args) throws SQLException
	{
		try (PreparedStatement statement = prepare(sql, args); ResultSet result = statement.executeQuery())
		{
			result.next();
			return result.getLong(1);
		}
	}

	/** A record with its key and value, each with the type that it has here. */
	void put(String name, String topic, int n, Object key, Object value) throws SQLException
	{
		told(number("SELECT kstream.produce(?, ?, ?, partition => ?)", topic, key, value, n) == n, name);
	}

	void writeValues(String topic, int n) throws SQLException
	{
		put("untyped, untyped", topic, n, untyped("java:1"), untyped("gr\u00fc\u00dfe 1"));
		put("text, text", topic, n, "java:2", "two");
		put("untyped, bytea", topic, n, untyped("java:3"), bytes("\0\u00ff\u0080A"));
		put("text, jsonb", topic, n, "java:4", typed("jsonb", "{\"s\": \"\u00e9\", \"n\": 1}"));
		put("bigint, untyped", topic, n, n * 100 + 5L, untyped("five"));
		put("bytea, text", topic, n, bytes("java:6\0"), "six");
		put("integer, integer", topic, n, n * 100 + 7, -7);
		put("bytea, bytea", topic, n, bytes("java:8\u00ff"), new byte[0]);
		put("uuid, numeric", topic, n, new UUID(0, n), new BigDecimal("12.50"));
		put("untyped, NULL", topic, n, untyped("java:10"), null);
		told(number("SELECT kstream.produce(?, ?, ?::bytea, partition => ?)",
				topic, "java:11", null, n) == n, "untyped, NULL bytea");
		put("NULL, untyped", topic, n, null, untyped("java:12"));
	}

	void writeOptions(String topic, int n) throws SQLException
	{
		String withHeaders = "SELECT kstream.produce(?, ?, ?, partition => ?, headers => ?)";
		String withTime = "SELECT kstream.produce(?, ?, ?, partition => ?, event_time => ?)";

		told(number(withHeaders, topic, "java:13", "h", n,
				typed("jsonb", "{\"trace\": \"abc\", \"none\": null}")) == n, "headers, an object");
		told(number(withHeaders, topic, "java:14", "h", n,
				untyped("[{\"key\": \"k\", \"value\": \"1\"},"
					+ " {\"key\": \"k\", \"value\": {\"base64\": \"AP8=\"}}]")) == n, "headers, a list");
		told(number(withTime, topic, "java:15", "t", n, LEAP) == n, "event time");
		number("SELECT kstream.produce(?, ?, ?)", topic, "java:16", "");
		told(true, "defaults");
	}

	void writeBatches(String topic, int n) throws SQLException
	{
		told(number("SELECT kstream.produce_batch(?, ?, ?, ?, ?, ?)", topic,
				connection.createArrayOf("text", new String[] {"java:17", "java:18", null}),
				connection.createArrayOf("text", new String[] {"a", null, "java:19 \u00e9"}),
				connection.createArrayOf("jsonb", new String[] {"{\"h\": \"1\"}", null, null}),
				n,
				connection.createArrayOf("timestamptz", new Object[] {LEAP, null, LEAP})) == 3,
			"batch of text");
		told(number("SELECT kstream.produce_batch_bytes(?, ?, ?, partition => ?)", topic,
				connection.createArrayOf("bytea", new byte[][] {bytes("java:20"), null}),
				connection.createArrayOf("bytea", new byte[][] {bytes("\0\u00ff"), bytes("java:21")}),
				n) == 2,
			"batch of bytes");
	}

	void write(String topic, int n) throws SQLException
	{
		connection.setAutoCommit(false);
		number("SELECT kstream.produce(?, ?, ?)", topic, "java:0", "rolled back");
		connection.rollback();
		writeValues(topic, n);
		writeOptions(topic, n);
		writeBatches(topic, n);
		connection.commit();
	}

	static String hex(byte[] value)
	{
		return value == null ? "NULL" : HexFormat.of().formatHex(value);
	}

	/** Print records as the test wants them.  Returns the offset after them. */
	long fetch(String topic, int partition, long offset, int seconds) throws SQLException
	{
		String sql = "SELECT r.partition, r.offset, r.timestamp, r.key, r.value, r.headers"
			+ " FROM kstream.fetch(?, ?, ?, max_records => ?, max_wait => ?) r";

		try (PreparedStatement statement = prepare(sql, topic, partition, offset, 4,
				new PGInterval(0, 0, 0, 0, 0, seconds)); ResultSet r = statement.executeQuery())
		{
			while (r.next())
			{
				Instant timestamp = r.getObject("timestamp", OffsetDateTime.class).toInstant();
				String headers = r.getString("headers");

				offset = r.getLong("offset");
				System.out.println(r.getInt("partition") + "\t" + offset++ + "\t" + timestamp.toEpochMilli()
					+ "\t" + hex(r.getBytes("key")) + "\t" + hex(r.getBytes("value"))
					+ "\t" + (headers == null ? "NULL" : headers));
			}
		}
		return offset;
	}

	void read(String topic) throws SQLException
	{
		List<long[]> ends = new ArrayList<>();

		try (PreparedStatement statement = prepare(
				"SELECT partition, earliest, latest FROM kstream.list_offsets(?) ORDER BY 1", topic);
			ResultSet r = statement.executeQuery())
		{
			while (r.next())
				ends.add(new long[] {r.getLong(1), r.getLong(2), r.getLong(3)});
		}
		for (long[] end : ends)
		{
			long offset = end[1];
			while (offset < end[2])
				offset = fetch(topic, (int) end[0], offset, 0);
		}
		try
		{
			fetch(topic, 0, 1L << 40, 0);
		}
		catch (SQLException error)
		{
			System.out.println("error\t" + error.getSQLState());
		}
	}

	static String environment(String name, String otherwise)
	{
		String value = System.getenv(name);
		return value == null ? otherwise : value;
	}

	public static void main(String[] args) throws SQLException
	{
		String url = "jdbc:postgresql://" + environment("PGHOST", "localhost") + ":"
			+ environment("PGPORT", "5432") + "/" + environment("PGDATABASE", "postgres");

		try (Connection connection = DriverManager.getConnection(url + "?ApplicationName="
				+ environment("PGAPPNAME", "java"), environment("PGUSER", "postgres"),
				environment("PGPASSWORD", "")))
		{
			Client client = new Client(connection);
			switch (args[0])
			{
				case "write" -> client.write(args[1], Integer.parseInt(args[2]));
				case "read" -> client.read(args[1]);
				case "wait" -> client.fetch(args[1], Integer.parseInt(args[2]), Long.parseLong(args[3]), 25);
			}
		}
	}
}
