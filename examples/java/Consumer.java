import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;

/**
 * Ships orders: a consumer that does its work exactly once.
 *
 *	Consumer [NAME]
 *
 * The work and the offset commit together, so neither a crash, nor a lost
 * connection, nor a rebalance loses or repeats a shipment.  A member of the
 * group is this session, or NAME, which outlives it.  JDBC_URL names the
 * database.
 */
public class Consumer
{
	static final String POLL = "SELECT r.partition, r.offset, r.timestamp, r.key, r.value, r.headers"
		+ " FROM kstream.poll('shipping', '{orders}', ?, max_wait => '20 s') r";
	static final String SHIP = "INSERT INTO shipment (partition, record_offset, placed_at, order_id, record, headers)"
		+ " VALUES (?, ?, ?, ?, ?, ?)";

	static void shipBatch(Connection connection, String name) throws SQLException
	{
		try (PreparedStatement poll = connection.prepareStatement(POLL);
			PreparedStatement ship = connection.prepareStatement(SHIP);
			PreparedStatement commit = connection.prepareStatement("SELECT kstream.commit('shipping', ?)"))
		{
			poll.setString(1, name);
			for (ResultSet r = poll.executeQuery(); r.next(); ship.addBatch())
			{
				ship.setInt(1, r.getInt("partition"));
				ship.setLong(2, r.getLong("offset"));
				ship.setObject(3, r.getObject("timestamp", OffsetDateTime.class));
				ship.setLong(4, Long.parseLong(new String(r.getBytes("key"))));
				ship.setBytes(5, r.getBytes("value"));
				ship.setObject(6, r.getObject("headers"));
			}
			ship.executeBatch();
			commit.setString(1, name);
			commit.execute();
		}
		connection.commit();
	}

	static void consume(Connection connection, String name) throws SQLException
	{
		connection.setAutoCommit(false);
		for (;;)
		{
			try
			{
				shipBatch(connection, name);
			}
			catch (SQLException error)
			{
				/* The partition is another member's now: its records are, too. */
				if (!"KS110".equals(error.getSQLState()) && !"40001".equals(error.getSQLState()))
					throw error;
				connection.rollback();
			}
		}
	}

	public static void main(String[] args) throws InterruptedException
	{
		for (;;)
		{
			try (Connection connection = DriverManager.getConnection(System.getenv("JDBC_URL")))
			{
				consume(connection, args.length > 0 ? args[0] : null);
			}
			catch (SQLException error)
			{
				System.err.println("will try again: " + error.getMessage());
				Thread.sleep(1000);
			}
		}
	}
}
