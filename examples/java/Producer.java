import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.OffsetDateTime;

/**
 * Takes orders: each is a row of a table and a record of a topic, or neither.
 *
 *	Producer FIRST LAST		the numbers of the orders to place
 *
 * A connection that is lost during COMMIT leaves open whether it committed.  So
 * an order that failed is placed again, and its number tells whether it is
 * there already: the record went with the row.  JDBC_URL names the database.
 */
public class Producer
{
	static void place(Connection connection, long id, String customer, long cents) throws SQLException
	{
		OffsetDateTime placedAt = OffsetDateTime.now();

		try (PreparedStatement insert = connection.prepareStatement(
				"INSERT INTO orders (id, customer, cents, source, placed_at)"
				+ " VALUES (?, ?, ?, 'java', ?) ON CONFLICT DO NOTHING");
			PreparedStatement produce = connection.prepareStatement(
				"SELECT kstream.produce('orders', ?, ?, headers => ?::jsonb, event_time => ?)"))
		{
			insert.setLong(1, id);
			insert.setString(2, customer);
			insert.setLong(3, cents);
			insert.setObject(4, placedAt);
			if (insert.executeUpdate() == 1)
			{
				produce.setLong(1, id);
				produce.setString(2, "{\"id\": %d, \"customer\": \"%s\", \"cents\": %d}".formatted(id, customer, cents));
				produce.setString(3, "{\"source\": \"java\"}");
				produce.setObject(4, placedAt);
				produce.execute();
			}
		}
		connection.commit();
	}

	public static void main(String[] args) throws InterruptedException
	{
		long next = Long.parseLong(args[0]);
		long last = Long.parseLong(args[1]);

		while (next <= last)
		{
			try (Connection connection = DriverManager.getConnection(System.getenv("JDBC_URL")))
			{
				connection.setAutoCommit(false);
				for (; next <= last; next++)
					place(connection, next, "Zo\u00eb " + next % 7, next * 5);
			}
			catch (SQLException error)
			{
				System.err.println("will try again: " + error.getMessage());
				Thread.sleep(1000);
			}
		}
	}
}
