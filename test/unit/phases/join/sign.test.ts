import { createPublicKey, webcrypto } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../../../src/cluster/client.js';
import { KeelsonError } from '../../../../src/errors/keelson-error.js';
import type { PhaseContext } from '../../../../src/phases/context.js';
import { signBootstrapRequest } from '../../../../src/phases/join/sign.js';
import { inspectBundle } from '../../../../src/pki/inspect.js';
import { createAuthority, openAuthority } from '../../../../src/pki/issue.js';
import { Name, Pkcs10CertificateRequestGenerator } from '../../../../src/pki/x509-library.js';
import { contextAt, DAY, NOW } from '../../pki/fixtures.js';

const config = { cluster: { controllerManager: {} } };
const CONTEXT = { now: () => NOW.getTime(), config } as unknown as PhaseContext;
const W1 = { node: 'w1', tokenId: 'abcdef' };

async function authority(validityMs = 3650 * DAY) {
  const pair = await createAuthority(
    { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs },
    contextAt(NOW),
  );
  return openAuthority(pair, { cert: '/ca.crt', key: '/ca.key' });
}

/** A request as a kubelet makes it, in an object as the API has it. */
async function request(node: string, tokenId: string, organization = 'system:nodes') {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const made = await Pkcs10CertificateRequestGenerator.create({
    name: new Name([{ O: [organization] }, { CN: [`system:node:${node}`] }]).toString(),
    keys,
    signingAlgorithm: algorithm,
  });
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  return {
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
    object: {
      metadata: { name: `node-csr-${node}` },
      spec: {
        request: Buffer.from(made.toString('pem')).toString('base64'),
        username: `system:bootstrap:${tokenId}`,
      },
      status: {} as { certificate?: string; conditions?: { type: string }[] },
    },
  };
}

/** An API that has `objects`; `conflicts` writes are refused first, as when somebody else wrote meanwhile. */
function api(objects: Awaited<ReturnType<typeof request>>['object'][], conflicts = 0) {
  const writes: string[] = [];
  let refusals = conflicts;
  const client = {
    list: async () => objects,
    request: async (_method: string, path: string, { body }: { body: string }) => {
      if (refusals-- > 0)
        throw new KeelsonError('CONFLICT', 'the object has been modified', { details: { status: 409 } });
      const [name, part] = path.split('/').slice(-2);
      const object = objects.find(({ metadata }) => metadata.name === name);
      if (object === undefined) throw new Error(`no object ${name}`);
      object.status = JSON.parse(body).status;
      writes.push(`${name} ${part}`);
      return { status: 200, body: object };
    },
  };
  return { client: client as unknown as ClusterClient, writes };
}

const sign = async (client: ClusterClient, ca: Awaited<ReturnType<typeof authority>>) =>
  signBootstrapRequest(CONTEXT, client, ca, W1, new AbortController().signal);

describe('signBootstrapRequest', () => {
  it('approves and signs the request made with the token, for the key in it, and no other request', async () => {
    const ca = await authority();
    const [own, other] = [await request('w1', 'abcdef'), await request('w2', 'ffffff')];
    const { client, writes } = api([other.object, own.object]);
    await sign(client, ca);
    expect(writes).toEqual(['node-csr-w1 approval', 'node-csr-w1 status']);
    expect(own.object.status.conditions).toMatchObject([{ type: 'Approved', status: 'True' }]);
    const pem = Buffer.from(own.object.status.certificate ?? '', 'base64').toString();
    const info = inspectBundle(pem, 'w1')[0];
    expect(info).toMatchObject({ commonName: 'system:node:w1', organizations: ['system:nodes'] });
    expect(info.x509.publicKey.equals(own.publicKey)).toBe(true);
    expect(info.x509.verify(createPublicKey(ca.certPem))).toBe(true);
    expect(info.x509.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(info.notAfter.getTime() - NOW.getTime()).toBeLessThanOrEqual(365 * DAY);
  });

  it('signs for no longer than the authority lasts', async () => {
    const ca = await authority(DAY);
    const own = await request('w1', 'abcdef');
    await sign(api([own.object]).client, ca);
    const pem = Buffer.from(own.object.status.certificate ?? '', 'base64').toString();
    expect(inspectBundle(pem, 'w1')[0].notAfter <= ca.certificate.notAfter).toBe(true);
  });

  it.each([
    ['another node', 'w2', 'system:nodes'],
    ['another group', 'w1', 'system:masters'],
  ])('refuses a request for %s, and writes nothing', async (_, node, organization) => {
    const forged = await request(node, 'abcdef', organization);
    const { client, writes } = api([forged.object]);
    await expect(sign(client, await authority())).rejects.toMatchObject({
      code: 'CONFLICT',
      retryable: false,
    });
    expect(writes).toEqual([]);
  });

  it('tries again where somebody else wrote meanwhile, and is content when they signed', async () => {
    const ca = await authority();
    const own = await request('w1', 'abcdef');
    await sign(api([own.object], 1).client, ca);
    expect(own.object.status.certificate).toBeDefined();
    const signed = api([own.object]);
    await sign(signed.client, ca);
    expect(signed.writes).toEqual([]);
  });
});
