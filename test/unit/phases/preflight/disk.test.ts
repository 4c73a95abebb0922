import { describe, expect, it } from 'vitest';
import { diskSpace, needsOf, thresholdBytes } from '../../../../src/phases/preflight/disk.js';
import { config, W1 } from '../../manifests/fixture.js';
import { judge, LOCK, problems, type Scene, subject } from './support.js';

const MIB = 1024 ** 2;
/** `device free total blocksize directory`, in blocks of 1 MiB. */
const at = (device: number, free: number, total: number, directory: string) =>
  `${device} ${free} ${total} ${MIB} ${directory}\n`;
const DIRECTORIES = ['/var/lib/containerd', '/var/lib/kubelet', '/usr/bin', '/var/lib/etcd'];
const all = (free: number, total: number) =>
  DIRECTORIES.map((directory) => at(1, free, total, directory)).join('');
const evictionHard = (values: object) =>
  config({ kubelet: { apiVersion: '', kind: 'KubeletConfiguration', evictionHard: values } });

describe('thresholdBytes', () => {
  it.each([
    ['10%', 100],
    ['0%', 0],
    ['500Mi', 500 * MIB],
    ['1G', 1e9],
    ['250k', 250_000],
    ['123', 123],
    ['nonsense', 0],
  ])('reads %s', (text, bytes) => {
    expect(thresholdBytes(text, 1000)).toBe(bytes);
  });
});

describe('needsOf', () => {
  it('counts binaries, layers twice (stored and unpacked) and etcd, by role', () => {
    const none = new Map<string, number>();
    const sum = (host?: typeof W1) =>
      needsOf(subject(host === undefined ? {} : { host }), none, new Set()).reduce(
        (a, { bytes }) => a + bytes,
        0,
      ) / MIB;
    expect(sum()).toBe(60 + 2 * 100 + 256);
    expect(sum(W1)).toBe(60);
  });

  it('leaves out what is there', () => {
    const needs = needsOf(subject(), new Map([['/usr/bin/kubelet', 60 * MIB]]), new Set(['2'.repeat(64)]));
    expect(needs.map(({ directory }) => directory)).toEqual(['/var/lib/etcd']);
  });

  it('expects compressed layers to grow', () => {
    const [first] = LOCK.images;
    const [blob] = first?.blobs ?? [];
    if (first === undefined || blob === undefined) throw new Error('no image');
    const zipped = { ...first, blobs: [{ ...blob, mediaType: `${blob.mediaType}+gzip` }] };
    const needs = needsOf(subject({ lock: { images: [zipped] } }), new Map(), new Set());
    expect(needs.find(({ directory }) => directory === '/var/lib/containerd')?.bytes).toBe(400 * MIB);
  });
});

describe('DiskSpace', () => {
  const judged = (scene: Scene) => judge(diskSpace, scene);

  it('is content with room for everything and the eviction threshold', () => {
    // 516 MiB come; 15 % of 4000 stay free.
    expect(problems(judged({ probes: { space: all(516 + 600, 4000) } }))).toEqual([]);
  });

  it('adds up what comes to one filesystem', () => {
    expect(problems(judged({ probes: { space: all(515, 4000) } }))).toEqual(['error DiskSpace']);
    const apart = [at(1, 9000, 9999, '/var/lib/containerd'), at(2, 255, 9999, '/var/lib/etcd')].join('');
    const [outcome] = judged({ probes: { space: apart } });
    expect(outcome?.message).toBe('the filesystem of /var/lib/etcd has 255 MiB free, 256 MiB are needed');
  });

  it('refuses a host that the kubelet would taint at once', () => {
    const scene = { probes: { space: all(516 + 599, 4000) } };
    expect(problems(judged(scene))).toEqual(['error DiskSpace']);
    expect(problems(judged({ ...scene, config: evictionHard({ 'imagefs.available': '1%' }) }))).toEqual([]);
  });

  it('only warns a member of that', () => {
    const probes = {
      space: all(500, 4000),
      files: `${60 * MIB} /usr/bin/kubelet\n`,
      blobs: `${'2'.repeat(64)}\n`,
    };
    expect(problems(judged({ member: true, probes }))).toEqual(['warning DiskSpace']);
  });

  it('counts what an upgrade brings to the host’s store, where that is on another filesystem', () => {
    const probes = (store: number, storeFree: number) => ({
      space: `${all(9000, 9999)}${at(store, storeFree, 9999, '/var/lib/keelson')}`,
      blobs: `${'2'.repeat(64)}\n`,
    });
    expect(problems(judged({ member: true, probes: probes(2, 60) }))).toEqual([]);
    expect(problems(judged({ member: true, probes: probes(2, 59) }))).toEqual(['error DiskSpace']);
    expect(problems(judged({ probes: probes(2, 0) }))).toEqual([]);
    // On one filesystem a binary in use and its place in the store share their space.
    const shared = all(60, 9999).replaceAll('/var/lib/etcd', '/var/lib/keelson');
    expect(problems(judged({ member: true, probes: { ...probes(1, 0), space: shared } }))).toEqual([
      'warning DiskSpace',
    ]);
  });
});
