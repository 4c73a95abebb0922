import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { authorityOfChain, refuseUnfitAuthority } from '../../../../src/pki/own-authority.js';
import { authorityRequest } from '../../../../src/workflows/certs/authority-request.js';
import { cluster } from '../fixture.js';

const PATHS = { cert: 'ca.crt', key: 'ca.key' };
const EXTENSIONS =
  'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n';

function openssl(cwd: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return `${stdout}${stderr}`;
}

it('asks for an authority, which openssl signs, and whose chain is checked up to the root', async () => {
  const { csrPem, keyPem } = await authorityRequest(cluster(), 'cluster-ca');
  const folder = mkdtempSync(join(tmpdir(), 'keelson-request-'));
  const file = (name: string) => readFileSync(join(folder, name), 'utf8');
  writeFileSync(join(folder, 'ca.csr'), csrPem);
  writeFileSync(join(folder, 'ext'), EXTENSIONS);
  const text = openssl(folder, 'req', '-in', 'ca.csr', '-noout', '-verify', '-text');
  expect(text).toMatch(/verify OK/);
  expect(text).toMatch(/CA:TRUE/);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  for (const root of ['root', 'other'])
    openssl(
      folder,
      'req',
      '-x509',
      ...curve,
      '-keyout',
      `${root}.key`,
      '-out',
      `${root}.crt`,
      '-subj',
      `/CN=${root}`,
    );
  openssl(
    folder,
    ...['x509', '-req', '-in', 'ca.csr', '-CA', 'root.crt', '-CAkey', 'root.key', '-CAcreateserial'],
    ...['-days', '20', '-extfile', 'ext', '-out', 'ca.crt'],
  );
  const [ca, root, other] = ['ca.crt', 'root.crt', 'other.crt'].map(file);
  const now = new Date();
  const certPem = authorityOfChain(ca ?? '', root ?? '', 'ca.crt', now);
  expect(authorityOfChain(`${ca}${root}`, '', 'ca.crt', now)).toBe(certPem);
  expect(() => refuseUnfitAuthority({ certPem, keyPem }, PATHS, now)).not.toThrow();
  expect(authorityOfChain(root ?? '', '', 'ca.crt', now)).toContain('BEGIN CERTIFICATE');
  expect(() => authorityOfChain(ca ?? '', '', 'ca.crt', now)).toThrow(
    'from root up to its root are not there',
  );
  expect(() => authorityOfChain(ca ?? '', other ?? '', 'ca.crt', now)).toThrow(
    'does not descend from the root',
  );
});

it('asks for nothing that a cluster has not', async () => {
  await expect(authorityRequest(cluster(), 'sa')).rejects.toThrow('sa is no authority');
});
