// One DNS query over TCP, through a byte stream that leads to the server.
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 1000;
const QUERY_ID = 0x4b45;

function query(name) {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const header = Buffer.alloc(12);
  header.writeUInt16BE(QUERY_ID, 0);
  header.writeUInt16BE(0x0100, 2); // recursion desired
  header.writeUInt16BE(1, 4); // one question
  const message = Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]); // type A, class IN
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** True when the server behind `stream` answers with at least one address of `name`. Closes the stream. */
async function ask(stream, name) {
  stream.on('error', () => undefined);
  stream.write(query(name));
  let answer = Buffer.alloc(0);
  for await (const chunk of stream) {
    answer = Buffer.concat([answer, chunk]);
    if (answer.length < 14) continue;
    const rcode = answer.readUInt16BE(4) & 0xf;
    return answer.readUInt16BE(2) === QUERY_ID && rcode === 0 && answer.readUInt16BE(8) > 0;
  }
  return false;
}

/** True when `name` resolves at `address` as `host` reaches it; false for every failure, and after a second. */
export async function resolves(host, address, name) {
  const opening = host.forward(address, 53);
  const late = new AbortController();
  const attempt = opening.then((stream) => ask(stream, name)).catch(() => false);
  const answered = await Promise.race([
    attempt,
    delay(PATIENCE_MS, false, { signal: late.signal }).catch(() => false),
  ]);
  late.abort();
  opening.then((stream) => stream.destroy()).catch(() => undefined);
  return answered;
}
