import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { CLUSTER, KUBEADM, stream } from '../config/support.js';
import { keelson, scratch } from './run.js';

const TOKEN = 'abcdef.0123456789abcdef';
const KEY = '0123456789'.repeat(6).concat('abcd');
const INIT = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{token: ${TOKEN}}]
certificateKey: "${KEY}"
`;

async function inFolder(text: string): Promise<string> {
  const cwd = await scratch();
  await writeFile(join(cwd, 'cluster.yaml'), text);
  return cwd;
}

describe('config validate', () => {
  it('sums the cluster up in one line', async () => {
    const cwd = await inFolder(stream(CLUSTER, KUBEADM));
    expect(await keelson(['config', 'validate'], { cwd })).toEqual({
      code: 0,
      stdout:
        'cluster.yaml is valid: demo, Kubernetes v1.36.3, 1 control plane, 1 worker, network flannel.\n',
      stderr: '',
    });
  });

  it('shows notes', async () => {
    const cwd = await inFolder(stream(CLUSTER, KUBEADM.replace('v1beta4', 'v1beta3')));
    const { code, stdout } = await keelson(['config', 'validate'], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^note: ClusterConfiguration: kubeadm.k8s.io\/v1beta3 is deprecated/);
  });

  it('names every problem', async () => {
    const cwd = await inFolder(
      stream(CLUSTER.replace('worker', 'wroker'), KUBEADM.replace('v1.36.3', 'stable')),
    );
    const { code, stderr } = await keelson(['config', 'validate'], { cwd });
    expect(code).toBe(3);
    expect(stderr).toMatch(/cluster\.yaml:7:\d+ spec\.hosts\[1\]\.role: /);
    expect(stderr).toMatch(/cluster\.yaml:\d+:\d+ kubernetesVersion: /);
  });
});

describe('config validate -o json', () => {
  it('says on stdout what is wrong, with the exit code of a wrong file', async () => {
    const cwd = await inFolder(stream(CLUSTER.replace('worker', 'wroker'), KUBEADM));
    for (const format of ['json', 'yaml']) {
      const { code, stdout, stderr } = await keelson(['config', 'validate', '-o', format], { cwd });
      expect([code, stderr]).toEqual([3, '']);
      expect(parse(stdout)).toEqual({
        valid: false,
        errors: [
          {
            file: join(cwd, 'cluster.yaml'),
            line: 7,
            column: expect.any(Number),
            path: 'spec.hosts[1].role',
            message: expect.stringContaining('did you mean `worker`?'),
            hint: expect.stringContaining('keelson config schema'),
          },
        ],
      });
    }
  });

  it('says so of a file that is none', async () => {
    const { code, stdout } = await keelson(['config', 'validate', '-o', 'json', '-c', '/etc']);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      errors: [{ file: '/etc', line: null, path: '', message: '/etc: is a directory' }],
    });
  });
});

describe('config print', () => {
  it('keeps tokens and the certificate key to itself', async () => {
    const cwd = await inFolder(stream(CLUSTER, KUBEADM, INIT));
    for (const format of ['text', 'json', 'yaml']) {
      const { code, stdout } = await keelson(['config', 'print', '-o', format], { cwd });
      expect(code).toBe(0);
      expect(stdout).toContain('abcdef.<redacted>');
      expect(stdout).not.toContain(TOKEN);
      expect(stdout).not.toContain(KEY);
    }
  });

  it('shows them when asked to, and then can be used in place of the file', async () => {
    const cwd = await inFolder(stream(CLUSTER, KUBEADM, INIT));
    const first = await keelson(['config', 'print', '--show-secrets'], { cwd });
    expect(first.stdout).toContain(TOKEN);
    expect(first.stdout).toContain(KEY);
    const again = await inFolder(first.stdout);
    expect((await keelson(['config', 'print', '--show-secrets'], { cwd: again })).stdout).toBe(first.stdout);
  });

  it("prints only kubeadm's documents when asked to", async () => {
    const cwd = await inFolder(stream(CLUSTER, KUBEADM));
    const { stdout } = await keelson(['config', 'print', '--kubeadm'], { cwd });
    expect(parseAllDocuments(stdout).map((document) => document.get('kind'))).toEqual([
      'ClusterConfiguration',
      'InitConfiguration',
      'KubeletConfiguration',
      'KubeProxyConfiguration',
    ]);
  });
});

describe('config schema', () => {
  it('prints a JSON Schema', async () => {
    const { code, stdout } = await keelson(['config', 'schema']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty('definitions.Cluster');
  });
});

describe('config migrate', () => {
  const OLD = `${CLUSTER}---
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
kubernetesVersion: v1.36.3 # pinned
networking: {podSubnet: 10.244.0.0/16}
apiServer: {extraArgs: {v: "4"}}
`;

  it('prints the result and leaves the file alone', async () => {
    const cwd = await inFolder(OLD);
    const { code, stdout } = await keelson(['config', 'migrate'], { cwd });
    expect(code).toBe(0);
    expect(stdout).toContain('v1.36.3 # pinned');
    expect(parse(stdout.split('---\n')[1] ?? '')).toMatchObject({
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      apiServer: { extraArgs: [{ name: 'v', value: '4' }] },
    });
    expect(await readFile(join(cwd, 'cluster.yaml'), 'utf8')).toBe(OLD);
  });

  it('rewrites the file with its mode, and keeps the old one', async () => {
    const cwd = await inFolder(OLD);
    await chmod(join(cwd, 'cluster.yaml'), 0o640);
    expect(await keelson(['config', 'migrate', '--write'], { cwd })).toMatchObject({ code: 0 });
    expect(await readFile(join(cwd, 'cluster.yaml.bak'), 'utf8')).toBe(OLD);
    expect(await readFile(join(cwd, 'cluster.yaml'), 'utf8')).toContain('v1beta4');
    expect((await stat(join(cwd, 'cluster.yaml'))).mode & 0o777).toBe(0o640);
    expect(await keelson(['config', 'migrate', '--write'], { cwd })).toMatchObject({
      code: 0,
      stdout: 'Nothing to migrate in cluster.yaml.\n',
    });
  });

  it('does not overwrite an older copy', async () => {
    const cwd = await inFolder(OLD);
    await writeFile(join(cwd, 'cluster.yaml.bak'), 'precious');
    expect(await keelson(['config', 'migrate', '--write'], { cwd })).toMatchObject({ code: 8 });
    expect(await readFile(join(cwd, 'cluster.yaml.bak'), 'utf8')).toBe('precious');
    expect(await readFile(join(cwd, 'cluster.yaml'), 'utf8')).toBe(OLD);
  });
});
