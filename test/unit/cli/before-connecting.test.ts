import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KUBEADM, stream } from '../config/support.js';
import { keelson, scratch } from './run.js';

let server: Server;
let connections = 0;

beforeAll(async () => {
  server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

/** A folder with the file of a cluster whose hosts all lead to the server that counts. */
async function folder(): Promise<string> {
  const cwd = await scratch();
  const { port } = server.address() as AddressInfo;
  const host = (name: string, role: string, last: number) =>
    `    - {name: ${name}, role: ${role}, address: 127.0.0.${last}, nodeIP: 10.0.0.${last}, port: ${port}}\n`;
  const cluster = `apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  ssh: {user: root, useSshConfig: false, identityFile: ${cwd}/id, knownHostsFile: ${cwd}/known}
  hosts:
${host('cp1', 'control-plane', 1)}${host('w1', 'worker', 2)}${host('w2', 'worker', 3)}`;
  await writeFile(join(cwd, 'cluster.yaml'), stream(cluster, KUBEADM));
  await writeFile(join(cwd, 'there'), 'something');
  await mkdir(join(cwd, 'directory'));
  return cwd;
}

const TOKEN = 'abcdef.0123456789abcdef';

describe('before a connection is opened', () => {
  it.each([
    ['plan --host nope', 2, 'there is no host nope'],
    ['plan --host w1,', 2, 'has an empty name'],
    ['reset --yes --host=', 2, 'has an empty name'],
    ['plan --host w[9-1]', 2, 'its brackets count nothing'],
    ['plan --host x*', 2, 'x*: no host has such a name'],
    ['plan --out nowhere/plan.json', 2, 'there is no such directory'],
    ['plan --out directory', 2, 'is a directory'],
    ['plan --out there/plan.json', 2, 'is no directory'],
    ['apply nonexist.plan', 2, 'nonexist.plan: there is no such file'],
    ['apply there', 2, 'is no saved plan'],
    ['apply directory', 2, 'directory: is a directory'],
    ['apply --host w[1-9]', 2, 'there is no host w3'],
    ['join --host cp1', 2, 'cp1 is the control plane that all others join'],
    ['join --host w9', 2, 'there is no host w9'],
    ['init --certificate-key abc', 2, '--upload-certs'],
    ['init --upload-certs --certificate-key abc', 2, 'certificate key'],
    ['phase run nope', 2, 'there is no phase nope'],
    ['phase run certs/apiserver --host w1', 2, 'nothing of it is for w1'],
    ['phase run certs --upload-certs', 2, 'certs uploads no certificates'],
    ['reset --host nope --yes', 2, 'there is no host nope'],
    ['reset', 2, 'no terminal to ask on'],
    ['upgrade apply --to v1.36.3', 2, 'no terminal to ask on'],
    ['upgrade apply --to latest --yes', 2, 'is no version'],
    ['upgrade apply --to v1.99.0 --yes', 2, '--to v1.99.0: this keelson knows'],
    ['upgrade apply --yes --bundle nowhere', 3, 'nowhere'],
    ['upgrade apply --yes --max-unavailable 101%', 2, 'neither a number nor a part'],
    ['upgrade apply --yes --host nope', 2, 'there is no host nope'],
    ['upgrade apply --yes --max-unavailable some', 2, 'neither a number nor a part'],
    ['upgrade apply --yes --timeout soon', 2, '"soon" is no duration'],
    ['upgrade apply --yes --snapshot-dir there/x', 2, 'is no directory'],
    ['upgrade rollback', 2, 'no terminal to ask on'],
    ['upgrade rollback --yes --host x*', 2, 'no host has such a name'],
    ['node drain w1 --timeout -1s', 2, 'is no duration'],
    ['node drain w_1', 2, '"w_1" is no name of a node'],
    ['node cordon W1', 2, '"W1" is no name of a node'],
    ['node remove nope', 2, 'there is no host nope'],
    ['node replace w1 w1', 2, 'can’t be replaced by itself'],
    ['token create nope', 2, 'the bootstrap token is malformed'],
    ['token create --ttl soon', 2, '--ttl soon'],
    ['token create --ttl=-1h', 2, 'is negative'],
    ['token create --usages sign', 2, "'sign' is no usage"],
    ['token create --groups admins', 2, "'admins' is no group"],
    ['token create --certificate-key abc', 2, 'certificate key'],
    ['token delete x', 2, 'the bootstrap token is malformed'],
    [`token delete ${TOKEN} y`, 2, 'the bootstrap token is malformed'],
    ['kubeconfig --out directory', 2, 'is a directory'],
    ['kubeconfig --out there/x', 2, 'is no directory'],
    ['kubeconfig --merge --context-name=', 2, 'the context has no name'],
    ['kubeconfig create', 2, 'whose kubeconfig is it?'],
    ['kubeconfig create --user jane --out there', 8, 'is there already'],
    ['kubeconfig create --user jane --ttl 1m', 2, 'ten minutes'],
    ['kubeconfig create --user jane --groups system:masters', 2, 'system:masters'],
    ['certs renew nope', 2, 'there is no certificate nope'],
    ['certs renew --csr-only there', 2, 'is no directory'],
    ['certs renew --import directory', 2, 'has no certificates'],
    ['certs rotate nope --yes', 2, 'is nothing that can be rotated'],
    ['certs rotate cluster-ca', 2, 'no terminal to ask on'],
    ['etcd snapshot --to there', 2, 'is no directory'],
    ['etcd snapshot --to=', 2, 'the directory has no name'],
    ['etcd snapshot --keep 0', 2, '--keep takes a whole number'],
    ['etcd snapshot --encrypt-to bob', 2, 'is no recipient of age'],
    ['etcd restore nowhere.db --yes', 2, 'nowhere.db is not there'],
    ['etcd restore directory --yes', 2, 'is a directory'],
    ['backup verify nowhere', 2, 'nowhere is not there'],
    ['backup verify there', 2, 'is no backup'],
    ['etcd restore there --yes', 6, 'there'],
    ['etcd recover --from nope --yes', 2, 'there is no host nope'],
    ['backup', 2, 'no file was named'],
    ['backup --out there', 8, 'is there already'],
    ['backup --out new', 2, 'it has to be encrypted'],
    ['backup --out new --encrypt-to bob', 2, 'is no recipient of age'],
    ['verify --only nope', 2, 'nope'],
  ])('%s is refused', async (line, code, message) => {
    const cwd = await folder();
    connections = 0;
    const ended = await keelson(line.split(' '), { cwd });
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
    expect(ended.stderr).toContain('\n  → ');
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(connections).toBe(0);
  });
});
