import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { webClient } from '../../../src/web/client.js';

type Ending = (socket: Socket) => void;

/** Answers with so many bytes and `Connection: close`, and then ends the connection. */
async function serverOf(size: number, ending: Ending): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size), () => ending(socket));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
}

const endings: [string, Ending][] = [
  ['closes', (socket) => void socket.end()],
  ['resets', (socket) => void setTimeout(() => socket.resetAndDestroy(), 50)],
];

// 64 KiB is where undici makes a server wait.
it.each(endings.flatMap(([name, ending]) => [65_536, 100_000].map((size) => [size, name, ending] as const)))(
  'gives all %i bytes of a server that %s the connection before they are read',
  async (size, _name, ending) => {
    const client = webClient();
    onTestFinished(() => client.close());
    const { body } = await client.request(await serverOf(size, ending));
    await delay(200);
    expect((await body.arrayBuffer()).byteLength).toBe(size);
  },
);

it('survives a reader that gives up while a server closes the connection', async () => {
  const client = webClient();
  onTestFinished(() => client.close());
  const { body } = await client.request(await serverOf(100_000, (socket) => void socket.end()));
  const reading = (async () => {
    for await (const _ of body) throw new Error('enough');
  })();
  await expect(reading).rejects.toThrow('enough');
  await delay(50);
});
