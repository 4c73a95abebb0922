import { createHash, X509Certificate } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLUSTER, KUBEADM, stream } from '../config/support.js';
import { keelson, scratch } from './run.js';

// Elliptic keys are made in no time.
const TEXT = stream(CLUSTER, `${KUBEADM}encryptionAlgorithm: ECDSA-P256\n`);

async function folder(): Promise<string> {
  const cwd = await scratch();
  await writeFile(join(cwd, 'cluster.yaml'), TEXT);
  return cwd;
}

const PKI = 'out/etc/kubernetes/pki';

interface Rendered {
  files: { host: string; path: string; file: string; mode: string; sha256: string }[];
}

describe('render', () => {
  it('writes a control plane as it would lie on the host, with its modes', async () => {
    const cwd = await folder();
    const { code, stdout } = await keelson(['render', '--host', 'cp1', '--out', 'out', '-o', 'json'], {
      cwd,
    });
    expect(code).toBe(0);
    const { files } = JSON.parse(stdout) as Rendered;
    for (const { file, mode, sha256 } of files) {
      expect(`0${((await stat(file)).mode & 0o777).toString(8)}`).toBe(mode);
      expect(
        createHash('sha256')
          .update(await readFile(file))
          .digest('hex'),
      ).toBe(sha256);
    }
    expect(files.find(({ path }) => path === '/etc/kubernetes/pki/ca.key')?.mode).toBe('0600');
    expect((await stat(join(cwd, 'out/etc/kubernetes/manifests'))).mode & 0o777).toBe(0o700);
    const ca = new X509Certificate(await readFile(join(cwd, PKI, 'ca.crt')));
    const apiserver = new X509Certificate(await readFile(join(cwd, PKI, 'apiserver.crt')));
    expect(apiserver.verify(ca.publicKey)).toBe(true);
  });

  it('gives a worker no secret', async () => {
    const cwd = await folder();
    await keelson(['render', '--host', 'w1', '--out', 'out'], { cwd });
    const names = await readdir(join(cwd, 'out'), { recursive: true });
    expect(names).toContain('var/lib/kubelet/config.yaml');
    expect(names).toContain('etc/kubernetes/pki/ca.crt');
    expect(names.filter((name) => /\.(key|conf)$/.test(name) && name.includes('kubernetes/'))).toEqual([]);
  });

  it('puts all hosts into folders of their own, with one CA', async () => {
    const cwd = await folder();
    await keelson(['render', '--out', 'all'], { cwd });
    const ca = (host: string) => readFile(join(cwd, 'all', host, 'etc/kubernetes/pki/ca.crt'), 'utf8');
    expect(await ca('w1')).toBe(await ca('cp1'));
  });

  it('keeps what --pki brings, so that the same comes out again', async () => {
    const cwd = await folder();
    await keelson(['render', '--host', 'cp1', '--out', 'out'], { cwd });
    const args = ['render', '--host', 'cp1', '--pki', PKI, '--out', 'again', '-o', 'json'];
    const again = JSON.parse((await keelson(args, { cwd })).stdout) as Rendered;
    for (const { path, file } of again.files)
      expect(await readFile(file, 'utf8'), path).toBe(await readFile(join(cwd, 'out', path), 'utf8'));
    await keelson(['render', '--host', 'w1', '--pki', PKI, '--out', 'worker'], { cwd });
    const ca = 'etc/kubernetes/pki/ca.crt';
    expect(await readFile(join(cwd, 'worker', ca), 'utf8')).toBe(
      await readFile(join(cwd, 'out', ca), 'utf8'),
    );
  });

  it('honours an external CA: no key is made, and the controller manager signs nothing', async () => {
    const cwd = await folder();
    await keelson(['render', '--host', 'cp1', '--out', 'out'], { cwd });
    await rm(join(cwd, PKI, 'ca.key'));
    const args = ['render', '--host', 'cp1', '--pki', PKI, '--out', 'again'];
    expect(await keelson(args, { cwd })).toMatchObject({ code: 0 });
    expect(await readdir(join(cwd, 'again/etc/kubernetes/pki'))).not.toContain('ca.key');
    const manifest = join(cwd, 'again/etc/kubernetes/manifests/kube-controller-manager.yaml');
    expect(await readFile(manifest, 'utf8')).toContain('- --cluster-signing-key-file=\n');
    await rm(join(cwd, PKI, 'apiserver.crt'));
    await rm(join(cwd, PKI, 'apiserver.key'));
    expect(await keelson([...args, '--force'], { cwd })).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('apiserver.crt is missing'),
    });
  });

  it('writes into a directory that holds something only by force, and deletes nothing', async () => {
    const cwd = await folder();
    const args = ['render', '--host', 'w1', '--out', '.'];
    expect(await keelson(args, { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not empty'),
    });
    expect(await readdir(cwd)).toEqual(['cluster.yaml']);
    expect(await keelson([...args, '--force'], { cwd })).toMatchObject({ code: 0 });
    expect(await readFile(join(cwd, 'cluster.yaml'), 'utf8')).toBe(TEXT);
  });

  it.each([
    ['a file', 'cluster.yaml'],
    ['a place that takes no directory', '/proc/keelson/deeper'],
  ])('refuses to write into %s', async (_, out) => {
    const cwd = await folder();
    const ended = await keelson(['render', '--host', 'cp1', '--out', out], { cwd });
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining("can't be made a directory") });
    expect(await readFile(join(cwd, 'cluster.yaml'), 'utf8')).toBe(TEXT);
  });
});
