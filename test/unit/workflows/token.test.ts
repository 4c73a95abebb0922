import { describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../../src/cluster/client.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { applyCluster } from '../../../src/workflows/apply.js';
import { phasesNamed } from '../../../src/workflows/phase-selection.js';
import type { Session } from '../../../src/workflows/session.js';
import { createToken, deleteTokens, listTokens } from '../../../src/workflows/token.js';
import { fakeSession } from './fixture.js';

const SECRETS = '/api/v1/namespaces/kube-system/secrets';
const SPEC = { token: 'abcdef.0123456789abcdef', ttl: '24h', usages: ['signing'], groups: [] };

/** A cluster with certificates whose API keeps Secrets in memory. */
async function session(): Promise<{ session: Session; secrets: Map<string, unknown> }> {
  const fake = fakeSession();
  await applyCluster(fake, { phases: phasesNamed('certs'), owner: 'me', preflight: false });
  const secrets = new Map<string, unknown>();
  const fail = (status: number) => new KeelsonError('API', 'refused', { details: { status } });
  const client = {
    request: async (method: string, path: string, options: { body?: string } = {}) => {
      if (method === 'POST') {
        const secret = JSON.parse(options.body ?? '') as { metadata: { name: string } };
        if (secrets.has(secret.metadata.name)) throw fail(409);
        secrets.set(secret.metadata.name, secret);
      } else if (!secrets.delete(path.slice(`${SECRETS}/`.length))) {
        throw fail(404);
      }
      return { status: 200, body: {} };
    },
    list: async () => [...secrets.values()],
  } as unknown as ClusterClient;
  return { session: { ...fake, context: { ...fake.context, api: () => client } }, secrets };
}

describe('bootstrap tokens', () => {
  it('are made with the command that joins a machine with them', async () => {
    const { session: open, secrets } = await session();
    const { join } = await createToken(open, SPEC);
    expect(join).toMatch(
      /^kubeadm join 10\.0\.0\.1:6443 --token abcdef\.0123456789abcdef --discovery-token-ca-cert-hash sha256:[0-9a-f]{64}$/,
    );
    expect([...secrets.keys()]).toEqual(['bootstrap-token-abcdef']);
  });

  it('are refused where one with the same id exists', async () => {
    const { session: open } = await session();
    await createToken(open, SPEC);
    await expect(createToken(open, SPEC)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'a bootstrap token with id abcdef already exists',
    });
  });

  it('are listed, the first to expire first and those that never do last', async () => {
    const { session: open } = await session();
    await createToken(open, { ...SPEC, ttl: '0' });
    await createToken(open, { ...SPEC, token: 'bbbbbb.0123456789abcdef', ttl: '48h' });
    await createToken(open, { ...SPEC, token: 'cccccc.0123456789abcdef', ttl: '1h' });
    expect((await listTokens(open)).map((token) => token.token.slice(0, 6))).toEqual([
      'cccccc',
      'bbbbbb',
      'abcdef',
    ]);
  });

  it('are deleted by id or as a whole', async () => {
    const { session: open, secrets } = await session();
    await createToken(open, SPEC);
    await createToken(open, { ...SPEC, token: 'bbbbbb.0123456789abcdef' });
    expect(await deleteTokens(open, ['abcdef', 'bbbbbb.0123456789abcdef'])).toEqual(['abcdef', 'bbbbbb']);
    expect(secrets.size).toBe(0);
  });

  it('that do not exist are named', async () => {
    const { session: open } = await session();
    await expect(deleteTokens(open, ['zzzzzz'])).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'there is no bootstrap token zzzzzz',
    });
  });

  it('are not deleted where one of the names is malformed', async () => {
    const { session: open, secrets } = await session();
    await createToken(open, SPEC);
    await expect(deleteTokens(open, ['abcdef', 'nonsense'])).rejects.toMatchObject({ code: 'USAGE' });
    expect(secrets.size).toBe(1);
  });

  it('need a cluster', async () => {
    await expect(listTokens(fakeSession())).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
