import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, type E2eLab, kubectl, labDown, labUp, WORK } from '../e2e/support.js';
import { type S3Server, startS3Server } from './s3-server.js';
import { expectNothingToPlan } from './support.js';

const NAME = 'longs3';
const BUCKET = 'backups';

describe('snapshots of etcd in a bucket', () => {
  let lab: E2eLab;
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server(BUCKET);
    lab = await labUp(NAME);
  });
  afterAll(async () => {
    await server.stop();
    await labDown(NAME);
  });

  const keelson = (args: readonly string[], env: Readonly<Record<string, string>> = server.env) =>
    execa('node', [CLI, ...args, '-c', lab.clusterFile, '--s3-endpoint', server.endpoint], {
      cwd: WORK,
      env,
      reject: false,
    });
  const snapshot = (...args: string[]) =>
    keelson(['etcd', 'snapshot', '--to', `s3://${BUCKET}/etcd/demo`, '-o', 'json', ...args]);
  const stored = () => readdirSync(join(server.directory(BUCKET), 'etcd/demo')).sort();

  it('are refused with wrong keys, before anything is asked of the hosts, and without a word about the keys', async () => {
    const secret = 'not the secret';
    const refused = await keelson(['etcd', 'snapshot', '--to', `s3://${BUCKET}/etcd/demo`], {
      ...server.env,
      AWS_SECRET_ACCESS_KEY: secret,
    });
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain('SignatureDoesNotMatch');
    expect(refused.stderr).not.toContain(secret);
  });

  it('are there as a whole, and only so many stay', async () => {
    for (let count = 0; count < 3; count += 1) {
      const taken = await snapshot('--keep', '2');
      expect(taken.exitCode, taken.stderr).toBe(0);
      const { file, sizeBytes } = JSON.parse(taken.stdout) as { file: string; sizeBytes: number };
      const name = file.replace(`s3://${BUCKET}/`, '');
      expect(statSync(join(server.directory(BUCKET), name)).size).toBe(sizeBytes);
    }
    expect(stored()).toHaveLength(2);
  });

  it('are restored from there', async () => {
    await kubectl(lab, 'create', 'configmap', 'before');
    const taken = await snapshot();
    const { file } = JSON.parse(taken.stdout) as { file: string };
    await kubectl(lab, 'create', 'configmap', 'after');
    const restored = await keelson(['etcd', 'restore', file, '--yes']);
    expect(restored.exitCode, restored.stderr).toBe(0);
    const names = (await kubectl(lab, 'get', 'configmaps', '-o', 'name')).split('\n');
    expect(names).toContain('configmap/before');
    expect(names).not.toContain('configmap/after');
    await expectNothingToPlan(lab);
  });
});
