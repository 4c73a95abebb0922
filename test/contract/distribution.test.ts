import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SourceBlob, sendAlongChain } from '../../src/bundle/distribute/chain.js';
import type { Host } from '../../src/host/types.js';
import { SSHD_MISSING, type SshdFleet, startSshdFleet } from './sshd-fleet.js';

const STATE = '/var/lib/keelson';
const DIRECTORY = `${STATE}/delivered`;

let fleet: SshdFleet;
let local: string;

async function blob(bytes: Buffer): Promise<SourceBlob> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const file = join(local, sha256);
  await writeFile(file, bytes);
  return { sha256, size: bytes.length, file };
}

/** What a host has, by name, with the digest of its content. */
async function delivered(host: Host): Promise<string[]> {
  const script = `cd ${DIRECTORY} 2>/dev/null && ls -A | xargs -r sha256sum`;
  const { stdout } = await host.exec(['sh', '-c', script]);
  return stdout.toString().trim().split('\n').filter(Boolean);
}

/** Directories and processes of relays on this computer, on which all hosts are. */
async function traces(host: Host): Promise<string> {
  const text = 'ls -d /run/keelson-relay-* 2>/dev/null\nps -eo args | grep "[k]eelson-relay"\nexit 0\n';
  return (await host.script({ name: 'traces', text })).stdout.toString();
}

describe.skipIf(SSHD_MISSING !== undefined)('blobs along a chain of hosts with OpenSSH', () => {
  beforeAll(async () => {
    local = await mkdtemp(join(tmpdir(), 'keelson-blobs-'));
    fleet = await startSshdFleet(4, { own: [STATE] });
  });
  afterAll(async () => {
    await fleet.close();
    await rm(local, { recursive: true, force: true });
  });

  const chain = (over: Partial<Parameters<typeof sendAlongChain>[0]> & { blobs: SourceBlob[] }) => {
    const have = new Map<string, Set<string>>();
    const hosts = fleet.hosts.map((host, index) => ({ host, address: fleet.addresses[index] ?? '' }));
    const result = sendAlongChain({
      hosts,
      directory: DIRECTORY,
      wants: () => true,
      onHave: (host, sha256) => have.set(host.name, (have.get(host.name) ?? new Set()).add(sha256)),
      signal: new AbortController().signal,
      ...over,
    });
    return result.then((failures) => ({ failures, have }));
  };

  it('come to every host that wants them, each verified, and nothing of the chain stays', async () => {
    const large = await blob(randomBytes(20_000_003));
    const small = await blob(Buffer.from('small'));
    const { failures, have } = await chain({
      blobs: [large, small],
      wants: (host, sha256) => sha256 === large.sha256 || host.name === 'w3',
    });
    expect([...failures.values()]).toEqual([]);
    for (const host of fleet.hosts) {
      const wanted = host.name === 'w3' ? [large, small] : [large];
      const names = wanted.map(({ sha256 }) => `${sha256}  ${sha256}`).sort();
      expect(await delivered(host)).toEqual(names);
      expect([...(have.get(host.name) ?? [])]).toEqual(wanted.map(({ sha256 }) => sha256));
    }
    expect(await traces(fleet.hosts[0] as Host)).toBe('');
  });

  it('come the same where what leaves this machine is compressed', async () => {
    const text = await blob(Buffer.alloc(5_000_000, 'programs compress well; '));
    const dense = await blob(randomBytes(3_000_000));
    const { failures, have } = await chain({ blobs: [text, dense], compress: true });
    expect([...failures.values()]).toEqual([]);
    for (const host of fleet.hosts)
      expect([...(have.get(host.name) ?? [])]).toEqual([text.sha256, dense.sha256]);
    const [first] = fleet.hosts as [Host];
    let sent = 0;
    const path = `${DIRECTORY}/put`;
    const content = { localPath: text.file, size: text.size, sha256: text.sha256 };
    const put = { compress: true, onBytes: (bytes: number) => (sent += bytes) };
    expect(await first.put([{ path, mode: 0o600, content }], put)).toEqual([path]);
    expect(sent).toBeLessThan(text.size / 2);
    expect(await delivered(first)).toContain(`${text.sha256}  put`);
    await first.remove([path]);
  });

  it('that are not what their digest says are placed nowhere', async () => {
    const good = await blob(randomBytes(300_000));
    const bad = await blob(randomBytes(400_000));
    await writeFile(bad.file, randomBytes(400_000));
    const { have } = await chain({ blobs: [good, bad] });
    for (const host of fleet.hosts) {
      expect([...(have.get(host.name) ?? [])]).toEqual([good.sha256]);
      expect(await delivered(host)).not.toContainEqual(expect.stringContaining(bad.sha256));
    }
    expect(await traces(fleet.hosts[0] as Host)).toBe('');
  });

  it('pass a host that can not be reached by the others by no further, and it is named', async () => {
    const one = await blob(randomBytes(300_000));
    const hosts = fleet.hosts.map((host, index) => ({
      host,
      // An address that is no host's: nobody can listen there.
      address: index === 2 ? '192.0.2.1' : (fleet.addresses[index] ?? ''),
    }));
    const { failures, have } = await chain({ blobs: [one], hosts });
    expect([...failures.keys()].map(({ name }) => name)).toEqual(['w3']);
    expect([...have.keys()].sort()).toEqual(['w1', 'w2', 'w4']);
    expect(await traces(fleet.hosts[0] as Host)).toBe('');
  });

  it('leave nothing behind when all of it is broken off in the middle', async () => {
    const large = await blob(randomBytes(60_000_000));
    const stop = new AbortController();
    const later = await blob(randomBytes(60_000_000));
    const { have } = await chain({
      blobs: [large, later],
      signal: stop.signal,
      onHave: () => stop.abort(),
    });
    expect(have.size).toBe(0);
    for (const host of fleet.hosts) {
      expect((await delivered(host)).every((line) => !line.includes('.'))).toBe(true);
    }
    expect(await traces(fleet.hosts[0] as Host)).toBe('');
  });

  it('end soon for all where a host in the middle is lost, and nothing of them stays', async () => {
    const [first, ...more] = await Promise.all(
      Array.from({ length: 6 }, () => blob(randomBytes(30_000_000))),
    );
    const blobs = [first as SourceBlob, ...more];
    const started = performance.now();
    const came = new Map<string, Set<string>>();
    await chain({
      blobs,
      onHave: (host, sha256) => {
        came.set(host.name, (came.get(host.name) ?? new Set()).add(sha256));
        if (host.name === 'w3') void fleet.hosts[2]?.close();
      },
    });
    // Those before it have all, those behind it only what came in time; nobody waits for what does not come.
    expect(came.get('w1')?.size).toBe(blobs.length);
    expect(came.get('w2')?.size).toBe(blobs.length);
    expect(performance.now() - started).toBeLessThan(40_000);
    expect(await traces(fleet.hosts[0] as Host)).toBe('');
  });
});
