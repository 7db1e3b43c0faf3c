"""A proxy that cuts connections before the answer of a Produce request has arrived.

	proxy = Proxy(port of the server, chance, seed)
	proxy.port, proxy.cuts

It lets everything through but, by chance, the answers of Produce requests: it cuts
the connection amid the request, behind it, when its answer comes, or amid that.  So the
server has stored the batch or not, and the client cannot know.  Runs in a thread.
"""
import asyncio
import random
import struct
import threading

PRODUCE = 0


class Proxy:
    def __init__(self, server, chance=0.3, seed=None):
        self.server, self.chance, self.random = server, chance, random.Random(seed)
        self.port, self.cuts = None, 0
        self.ready = threading.Event()
        threading.Thread(target=asyncio.run, args=(self.serve(),), daemon=True).start()
        self.ready.wait(10)

    async def serve(self):
        listener = await asyncio.start_server(self.client, '127.0.0.1', 0)
        self.port = listener.sockets[0].getsockname()[1]
        self.ready.set()
        await asyncio.Event().wait()

    async def client(self, reader, writer):
        try:
            up = await asyncio.open_connection('127.0.0.1', self.server)
        except OSError:
            writer.close()
            return
        cut = asyncio.Event()       # the next bytes of the server are not let through, or not wholly
        tasks = [asyncio.ensure_future(self.requests(reader, up[1], cut)), asyncio.ensure_future(self.answers(up[0], writer, cut))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for each in (writer, up[1]):
            if self.random.random() < 0.5:
                each.transport.abort()      # a reset
            each.close()

    async def requests(self, reader, writer, cut):
        """Frame by frame."""
        try:
            while True:
                head = await reader.readexactly(4)
                frame = head + await reader.readexactly(struct.unpack('>i', head)[0])
                if struct.unpack('>h', frame[4:6])[0] == PRODUCE and self.random.random() < self.chance:
                    self.cuts += 1
                    where = self.random.randrange(4)
                    if where == 0:
                        writer.write(frame[:self.random.randint(0, len(frame))])
                        await writer.drain()
                        return
                    if where == 1:
                        writer.write(frame)
                        await writer.drain()
                        await asyncio.sleep(self.random.choice((0, 0, 0.002)))
                        return
                    cut.set()
                writer.write(frame)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass

    async def answers(self, reader, writer, cut):
        try:
            while True:
                some = await reader.read(65536)
                if not some:
                    return
                if cut.is_set():
                    writer.write(some[:self.random.choice((0, self.random.randrange(len(some))))])
                    await writer.drain()
                    return
                writer.write(some)
                await writer.drain()
        except OSError:
            pass
