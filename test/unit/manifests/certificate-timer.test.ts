import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { CHECK_CERTIFICATES } from '../../../src/manifests/certificate-timer.js';
import { createAuthority } from '../../../src/pki/issue.js';

const DAY_MS = 86_400_000;

/** A directory with a certificate that ends in so many days, and what the script says of it. */
async function checked(days: number, ...more: string[]) {
  const pki = mkdtempSync(join(tmpdir(), 'keelson-timer-'));
  const spec = { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs: days * DAY_MS } as const;
  const { certPem } = await createAuthority(spec, { now: new Date(Date.now() + 60_000) });
  writeFileSync(join(pki, 'ca.crt'), certPem);
  const args = ['-c', CHECK_CERTIFICATES, 'check', '30', pki, ...more.map((name) => join(pki, name))];
  const { exitCode, stdout } = await execa('sh', args, { reject: false });
  return { pki, exitCode, stdout };
}

describe('the script of the certificate timer', () => {
  it('is content where nothing ends soon', async () => {
    expect(await checked(31)).toMatchObject({ exitCode: 0, stdout: '' });
  });

  it('fails where a certificate ends within the days, and says which', async () => {
    const { exitCode, stdout, pki } = await checked(29);
    expect([exitCode, stdout]).toEqual([1, `<4>${pki}/ca.crt expires in 29 days`]);
  });

  it('writes metrics', async () => {
    const { pki, exitCode } = await checked(100, 'keelson.prom');
    expect(exitCode).toBe(0);
    const metrics = readFileSync(join(pki, 'keelson.prom'), 'utf8');
    const [, seconds] =
      /keelson_certificate_not_after_seconds\{place="\S+\/ca.crt"\} (\d+)\n/.exec(metrics) ?? [];
    expect(Number(seconds) * 1000 - Date.now()).toBeGreaterThan(99 * DAY_MS);
  });
});
