import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLI,
  CONTROL_PLANE_KUBECTL,
  type E2eLab,
  keelson,
  labDown,
  labUp,
  onNode,
  succeed,
  WORK,
} from '../e2e/support.js';
import { expectNothingToPlan } from './support.js';

const NAME = 'longdrill';
const KEYS = '/etc/kubernetes/enc/keys.yaml';
const FOLDER = '/var/backups/keelson';
const SECRETS = 20;

/** How Secrets are encrypted, with a key of its own each time. */
const encryption = () => `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - aescbc: {keys: [{name: k1, secret: ${randomBytes(32).toString('base64')}}]}
      - identity: {}
`;

const API_SERVER = `apiServer:
  extraArgs: [{name: encryption-provider-config, value: ${KEYS}}]
  extraVolumes:
    - {name: enc, hostPath: /etc/kubernetes/enc, mountPath: /etc/kubernetes/enc, readOnly: true, pathType: Directory}
`;

describe('a cluster whose Secrets are encrypted, and its backups', () => {
  let lab: E2eLab;
  const passphrase = join(WORK, 'drill-passphrase');
  const traces = () => [
    ...readdirSync('/var/lib/keelson-lab').filter((name) => name.startsWith('drill-')),
    ...readdirSync(tmpdir()).filter((name) => name.startsWith('keelson-drill-')),
  ];
  const putKeys = (text: string) =>
    onNode(
      lab,
      'cp1',
      `mkdir -p -m 700 /etc/kubernetes/enc; printf '%s' '${text}' > ${KEYS}; chmod 600 ${KEYS}`,
    );
  const backup = (file: string) =>
    succeed('backup', '-c', lab.clusterFile, '--out', file, '--passphrase-file', passphrase);
  const drill = (file: string) =>
    keelson(['backup', 'drill', file, '--passphrase-file', passphrase, '-o', 'json']);

  beforeAll(async () => {
    lab = await labUp(NAME, '--workers', '0', '--no-cluster');
    writeFileSync(passphrase, 'correct horse battery staple\n');
    const file = readFileSync(lab.clusterFile, 'utf8');
    const timer = "  etcdSnapshots: {schedule: '*-*-* *:*:00', keep: 2}\n  network:\n";
    writeFileSync(
      lab.clusterFile,
      file
        .replace('  network:\n', timer)
        .replace('controllerManager:\n', `${API_SERVER}controllerManager:\n`),
    );
    await putKeys(encryption());
    await succeed('apply', '-c', lab.clusterFile);
    const create = `${CONTROL_PLANE_KUBECTL} create secret generic s$i --from-literal=a=$i`;
    await onNode(lab, 'cp1', `for i in $(seq ${SECRETS}); do ${create}; done`);
  });
  afterAll(() => labDown(NAME));

  it('takes snapshots by itself, keeps as many as it should, and leaves other files alone', async () => {
    const take = 'systemctl start keelson-etcd-snapshot && sleep 1';
    await onNode(
      lab,
      'cp1',
      `systemctl is-active keelson-etcd-snapshot.timer && ${take} && ${take} && ${take}`,
    );
    const listed = await onNode(lab, 'cp1', `touch ${FOLDER}/mine.db; ls ${FOLDER}`);
    const files = listed.trim().split('\n');
    expect(files).toHaveLength(3);
    expect(files).toContain('mine.db');
    const [snapshot] = files.filter((file) => file.startsWith(`${NAME}-`));
    const copy = join(WORK, snapshot ?? '');
    writeFileSync(copy, Buffer.from(await onNode(lab, 'cp1', `base64 ${FOLDER}/${snapshot}`), 'base64'));
    const plan = JSON.parse(
      await succeed('etcd', 'restore', copy, '-c', lab.clusterFile, '--dry-run', '-o', 'json'),
    ) as { snapshot: { objects: Record<string, number> } };
    expect(plan.snapshot.objects.secrets).toBe(SECRETS);
  });

  it('is brought back from a backup with every Secret, and nothing is left of that', async () => {
    const file = join(WORK, 'drill.age');
    await backup(file);
    const result = await drill(file);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({
      cluster: NAME,
      problems: [],
      secrets: { stored: SECRETS, encrypted: { aescbc: SECRETS } },
      resources: expect.arrayContaining([
        { resource: 'secrets', stored: SECRETS, read: SECRETS, problem: null },
      ]),
    });
    expect(traces()).toEqual([]);
  });

  it('is not, where the backup has another key than the Secrets were written with', async () => {
    const keys = await onNode(lab, 'cp1', `cat ${KEYS}`);
    await putKeys(encryption());
    const file = join(WORK, 'drill-other-key.age');
    await backup(file);
    await putKeys(keys);
    const result = await drill(file);
    expect(result.exitCode).toBe(6);
    const { problems } = JSON.parse(result.stdout) as { problems: string[] };
    expect(problems).toEqual([expect.stringContaining("secrets can't be read")]);
    expect(traces()).toEqual([]);
  });

  it('leaves nothing of a drill that is broken off', async () => {
    const args = ['backup', 'drill', join(WORK, 'drill.age'), '--passphrase-file', passphrase];
    const run = execa('node', [CLI, ...args], { cwd: WORK, reject: false, timeout: 300_000 });
    run.stderr.on('data', (chunk: Buffer) => {
      if (chunk.includes('runtime/containerd')) run.kill('SIGINT');
    });
    expect((await run).exitCode).toBe(130);
    expect(traces()).toEqual([]);
  });

  it('takes the timer away with its field, and leaves the snapshots', async () => {
    const file = readFileSync(lab.clusterFile, 'utf8');
    writeFileSync(lab.clusterFile, file.replace(/^ {2}etcdSnapshots:.*\n/m, ''));
    await succeed('apply', '-c', lab.clusterFile);
    const left = await onNode(
      lab,
      'cp1',
      `systemctl list-unit-files 'keelson-etcd-*' --no-legend; ls ${FOLDER}`,
    );
    expect(left).not.toContain('timer');
    expect(left).toContain('mine.db');
    await expectNothingToPlan(lab);
  });
});
