import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { groupsOf } from '../../../src/bundle/distribute/distribute.js';
import {
  choosesChain,
  choosesCompression,
  mayChain,
  mayCompress,
  measureLink,
} from '../../../src/bundle/distribute/link.js';
import { oneTimeKey } from '../../../src/bundle/distribute/one-time-key.js';
import type { Host } from '../../../src/host/types.js';
import { createFakeHost } from '../../fakes/fake-host.js';

const GB = 1e9;
const slow = { bytesPerSecond: 12e6, processorBound: false };

describe('whether hosts pass on what they get', () => {
  it('is so where the link of this machine is slow and several hosts lack the same', () => {
    expect(choosesChain({ hosts: 4, total: 4 * GB, distinct: GB }, slow)).toBe(true);
  });

  it.each([
    ['for two hosts', { hosts: 2, total: 2 * GB, distinct: GB }, slow],
    ['for little', { hosts: 4, total: 0.1 * GB, distinct: 0.025 * GB }, slow],
    ['for hosts that lack different things', { hosts: 4, total: GB, distinct: GB }, slow],
    ['on a fast link', { hosts: 4, total: 4 * GB, distinct: GB }, { ...slow, bytesPerSecond: 400e6 }],
    [
      'where this processor is what is slow',
      { hosts: 4, total: 4 * GB, distinct: GB },
      { bytesPerSecond: 90e6, processorBound: true },
    ],
  ])('is not so %s', (_case, load, link) => {
    expect(choosesChain(load, link)).toBe(false);
  });

  it('is measured with a few megabytes where the link is fast', async () => {
    let received = 0;
    const sink = {
      query: async (_argv: readonly string[], { stdin }: { stdin?: AsyncIterable<Buffer> }) => {
        if (stdin !== undefined) for await (const chunk of stdin) received += chunk.length;
      },
    } as unknown as Host;
    const load = { hosts: 3, total: 0.9 * GB, distinct: 0.4 * GB };
    const link = await measureLink([sink, sink, sink], load, new AbortController().signal);
    expect(received).toBeGreaterThan(8e6);
    expect(received).toBeLessThan(9e6);
    expect(choosesChain(load, { ...link, processorBound: false })).toBe(false);
  });

  it('needs no measurement for an unchanged cluster', () => {
    expect(mayChain({ hosts: 0, total: 0, distinct: 0 })).toBe(false);
  });
});

describe('whether what goes out is compressed', () => {
  const load = { hosts: 1, total: 0.6 * GB, distinct: 0.6 * GB, plain: 0.3 * GB };
  it('is so where the link is slower than a processor that compresses', () => {
    expect(choosesCompression(load, slow)).toBe(true);
    expect(choosesCompression(load, { ...slow, bytesPerSecond: 60e6 })).toBe(false);
    expect(choosesCompression(load, { ...slow, processorBound: true })).toBe(false);
  });

  it('is not looked at for little, and for what is compressed already', () => {
    expect(mayCompress({ ...load, plain: 50e6 })).toBe(false);
    expect(mayCompress({ hosts: 1, total: GB, distinct: GB })).toBe(false);
  });
});

describe('groups of blobs', () => {
  const blob = (sha256: string) => ({ sha256, size: 1, file: `/blobs/${sha256}` });
  const want = (name: string, ...blobs: string[]) => ({
    host: createFakeHost({ name }),
    address: name,
    blobs: blobs.map(blob),
  });

  it('have the same hosts each, and what few hosts lack is left out', () => {
    const groups = groupsOf([
      want('cp1', 'a', 'b', 'c'),
      want('cp2', 'a', 'b', 'c'),
      want('cp3', 'a', 'b'),
      want('w1', 'a'),
    ]);
    const names = groups.map(({ hosts, blobs }) => [
      hosts.map(({ host }) => host.name).join(' '),
      blobs.map(({ sha256 }) => sha256).join(''),
    ]);
    expect(names).toEqual([
      ['cp1 cp2 cp3 w1', 'a'],
      ['cp1 cp2 cp3', 'b'],
    ]);
  });
});

describe('a one-time key', () => {
  it('is one that OpenSSH reads, and its public line is of the same key', () => {
    const directory = mkdtempSync(join(tmpdir(), 'keelson-key-'));
    try {
      const file = join(directory, 'key');
      const { privateKey, publicKey } = oneTimeKey();
      writeFileSync(file, privateKey, { mode: 0o600 });
      const read = execFileSync('ssh-keygen', ['-y', '-f', file]).toString().trim();
      expect(read.split(' ').slice(0, 2).join(' ')).toBe(publicKey);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
