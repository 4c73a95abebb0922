import { describe, expect, it } from 'vitest';
import { KeelsonError } from '../../../../src/errors/keelson-error.js';
import { certificatesMetrics, certificatesText } from '../../../../src/report/certificates-text.js';
import { applyCluster } from '../../../../src/workflows/apply.js';
import { certificateSurvey } from '../../../../src/workflows/certs/check.js';
import { phasesNamed } from '../../../../src/workflows/phase-selection.js';
import { type FakeSession, fakeSession } from '../fixture.js';

const OPTIONS = { warnDays: 30 };

/** A session whose control plane has certificates; its hosts answer for their files, and nothing serves TLS. */
async function withCertificates(): Promise<FakeSession> {
  const session = fakeSession();
  await applyCluster(session, { phases: phasesNamed('certs'), owner: 'me', preflight: false });
  await applyCluster(session, { phases: phasesNamed('kubeconfig'), owner: 'me', preflight: false });
  for (const host of session.fakes.values()) {
    host.on('?certificate-files', {
      get stdout() {
        return [...host.files]
          .map(([path, { mode, content }]) => `\u0001${mode.toString(8)} ${path}\n${content.toString()}\n`)
          .join('');
      },
    });
    host.calls.length = 0;
  }
  return session;
}

describe('certificateSurvey', () => {
  it('reads each host once, changes nothing, and goes on where programs and API do not answer', async () => {
    const session = await withCertificates();
    const survey = await certificateSurvey(session, OPTIONS);
    const cp1 = session.fakes.get('cp1');
    expect(cp1?.calls.filter(({ kind }) => kind === 'read')).toHaveLength(1);
    expect(cp1?.mutations()).toEqual([]);
    expect(cp1?.calls.filter(({ kind }) => kind === 'forward').map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        '10.0.0.1:6443',
        '10.0.0.1:2379',
        '10.0.0.1:2380',
        '10.0.0.1:10250',
        '127.0.0.1:10257',
        '127.0.0.1:10259',
      ]),
    );
    expect(survey.findings.map(({ code, host }) => `${host} ${code}`).sort()).toEqual([
      ' no-answer',
      ...Array.from({ length: 6 }, () => 'cp1 no-answer'),
      'w1 not-joined',
    ]);
    expect(survey.items.filter(({ part }) => part === 'authority')).toHaveLength(3);
  });

  it('names hosts that can’t be reached', async () => {
    const session = await withCertificates();
    const readers = new Map([...session.readers].filter(([name]) => name !== 'w1'));
    const failures = new Map([['w1', new KeelsonError('CONNECTION', 'did not answer')]]);
    const survey = await certificateSurvey({ ...session, readers, failures }, OPTIONS);
    expect(survey.findings[0]).toMatchObject({
      host: 'w1',
      code: 'unreachable',
      severity: 'error',
      message: "can't be looked at: did not answer",
    });
  });

  it('is refused where there is no cluster', async () => {
    await expect(certificateSurvey(fakeSession(), OPTIONS)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('a certificate survey for people and for Prometheus', () => {
  it('has a row a certificate and a line a problem', async () => {
    const text = certificatesText(await certificateSurvey(await withCertificates(), OPTIONS), false);
    expect(text).toMatch(
      /^cp1 +apiserver +\/etc\/kubernetes\/pki\/apiserver.crt +kubernetes +\d{4}-\d\d-\d\d +36\d d +ok, key matches$/m,
    );
    expect(text).toMatch(/^ {2}! cp1:10.0.0.1:6443 presents nothing: /m);
    expect(text).toContain('Certificates of demo: 7 problems');
    expect(text).not.toContain('PRIVATE');
  });

  it('has a sample a certificate, labels escaped', async () => {
    const survey = await certificateSurvey(await withCertificates(), OPTIONS);
    const items = survey.items.map((item) =>
      item.name === 'apiserver' ? { ...item, place: 'a"b\\c' } : item,
    );
    const lines = certificatesMetrics({ ...survey, items }, survey.at).split('\n');
    const sample = lines.find(
      (line) =>
        line.startsWith('keelson_certificate_not_after_seconds{') && line.includes('name="apiserver"'),
    );
    expect(sample).toMatch(
      /^keelson_certificate_not_after_seconds\{cluster="demo",host="cp1",name="apiserver",part="leaf",source="file",place="a\\"b\\\\c",position="0",common_name="kube-apiserver",issuer="kubernetes",serial="[0-9A-F]+"\} \d{10}$/,
    );
    expect(lines).toContain('keelson_certificate_findings{cluster="demo",severity="warning"} 7');
    for (const line of lines.filter(Boolean))
      expect(line).toMatch(/^(# (HELP|TYPE) \S+ .+|\w+\{.*\} [\d.]+)$/);
  });
});
