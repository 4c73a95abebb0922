import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { bootstrapKubeconfig } from '../../../src/join/bootstrap-kubeconfig.js';
import { clusterInfoConfigMap, verifyClusterInfo } from '../../../src/join/cluster-info.js';
import { joinCommand } from '../../../src/join/join-command.js';
import { detachedSignature, verifyDetached } from '../../../src/join/jws.js';
import { parsePin, publicKeyPins, requirePinned } from '../../../src/join/pins.js';
import { parseToken } from '../../../src/join/token.js';
import { createAuthority } from '../../../src/pki/issue.js';

const TOKEN = 'abcdef.0123456789abcdef';
const SERVER = 'https://lb.example:6443';
let caPem: string;
let otherPem: string;

beforeAll(async () => {
  const spec = { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs: 86_400_000 } as const;
  [caPem, otherPem] = (await Promise.all([1, 2].map(() => createAuthority(spec, { now: new Date() })))).map(
    (pair) => pair.certPem,
  ) as [string, string];
});

describe('detached signatures', () => {
  it('are those of the bootstrap signer', () => {
    // Of the empty content, computed by go-jose, which the bootstrap signer uses.
    expect(detachedSignature('', { id: 'joshua', secret: 'my voice is my passcode' })).toBe(
      'eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..7Ui1ALizW4jXphVUB7xUqC9vLYLL9RZeOFfVLoB7Tgk',
    );
  });

  it('are what openssl computes over header and content', () => {
    const { id, secret } = parseToken(TOKEN);
    const content = 'apiVersion: v1\nname: "é"\n';
    const header = Buffer.from(`{"alg":"HS256","kid":"${id}"}`).toString('base64url');
    const input = `${header}.${Buffer.from(content).toString('base64url')}`;
    const mac = execFileSync('openssl', ['dgst', '-sha256', '-hmac', secret, '-binary'], { input });
    expect(detachedSignature(content, { id, secret })).toBe(`${header}..${mac.toString('base64url')}`);
  });

  it('are refused for another content, token, id, or with anything changed', () => {
    const token = parseToken(TOKEN);
    const signature = detachedSignature('content', token);
    expect(verifyDetached(signature, 'content', token)).toBe(true);
    expect(verifyDetached(signature, 'content2', token)).toBe(false);
    expect(verifyDetached(signature, 'content', { ...token, secret: 'x' })).toBe(false);
    expect(verifyDetached(signature, 'content', { ...token, id: 'zzzzzz' })).toBe(false);
    expect(verifyDetached(`${signature}A`, 'content', token)).toBe(false);
    expect(verifyDetached('', 'content', token)).toBe(false);
  });
});

describe('pins', () => {
  it('are what openssl computes', () => {
    const spki = execFileSync('openssl', ['x509', '-pubkey', '-noout'], { input: caPem });
    const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'der'], { input: spki });
    const digest = execFileSync('openssl', ['dgst', '-sha256', '-hex'], { input: der })
      .toString()
      .trim()
      .split('= ')[1];
    expect(publicKeyPins(caPem)).toEqual([`sha256:${digest}`]);
  });

  it('are satisfied by any certificate of a bundle, in upper case too', () => {
    const pin = publicKeyPins(otherPem)[0]?.toUpperCase() ?? '';
    expect(() => requirePinned(caPem + otherPem, [pin])).not.toThrow();
    expect(() => requirePinned(caPem, [pin])).toThrow(expect.objectContaining({ code: 'PKI' }));
  });

  it.each([
    '',
    'sha256:',
    'sha256:abcd',
    `sha1:${'a'.repeat(64)}`,
    'a'.repeat(64),
    `sha256:${'g'.repeat(64)}`,
  ])('of the form %j are refused', (pin) => {
    expect(() => parsePin(pin)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('cluster-info', () => {
  const signed = () => clusterInfoConfigMap({ server: SERVER, caPem }, [parseToken(TOKEN)]);

  it('holds a cluster without name and nothing else', () => {
    expect(clusterInfoConfigMap({ server: SERVER, caPem })).toMatchObject({
      metadata: { namespace: 'kube-public', name: 'cluster-info' },
      data: {
        kubeconfig: `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${Buffer.from(caPem).toString('base64')}
    server: ${SERVER}
  name: ""
contexts: null
current-context: ""
kind: Config
users: null
`,
      },
    });
  });

  it('gives its address to whoever has the token and the pin', () => {
    expect(verifyClusterInfo(signed(), TOKEN, publicKeyPins(caPem))).toEqual({ server: SERVER, caPem });
    expect(verifyClusterInfo(signed(), TOKEN, 'any')).toEqual({ server: SERVER, caPem });
  });

  it('is not believed with another authority than the pinned one', () => {
    expect(() => verifyClusterInfo(signed(), TOKEN, publicKeyPins(otherPem))).toThrow(
      expect.objectContaining({ code: 'PKI' }),
    );
  });

  it('is not believed when it was changed after signing', () => {
    const configMap = signed();
    const data = {
      ...configMap.data,
      kubeconfig: (configMap.data?.kubeconfig ?? '').replace('lb.', 'evil.'),
    };
    expect(() => verifyClusterInfo({ ...configMap, data }, TOKEN, publicKeyPins(caPem))).toThrow(
      expect.objectContaining({ code: 'PKI', retryable: false }),
    );
  });

  it('asks to wait while it is not signed with the token yet', () => {
    expect(() => verifyClusterInfo(clusterInfoConfigMap({ server: SERVER, caPem }), TOKEN, 'any')).toThrow(
      expect.objectContaining({ code: 'API', retryable: true }),
    );
  });

  it('is never believed without a pin by accident', () => {
    expect(() => verifyClusterInfo(signed(), TOKEN, [])).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

it('bootstrap-kubelet.conf holds the token and the authority', () => {
  expect(bootstrapKubeconfig({ server: SERVER, caPem }, TOKEN)).toBe(`apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${Buffer.from(caPem).toString('base64')}
    server: ${SERVER}
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: tls-bootstrap-token-user
  name: tls-bootstrap-token-user@kubernetes
current-context: tls-bootstrap-token-user@kubernetes
kind: Config
users:
- name: tls-bootstrap-token-user
  user:
    token: ${TOKEN}
`);
});

it('the join command is one line with all pins', () => {
  const [one, two] = publicKeyPins(caPem + otherPem);
  const worker = `kubeadm join lb.example:6443 --token ${TOKEN} --discovery-token-ca-cert-hash ${one} --discovery-token-ca-cert-hash ${two}`;
  const address = { server: SERVER, caPem: caPem + otherPem };
  expect(joinCommand(address, TOKEN)).toBe(worker);
  expect(joinCommand(address, TOKEN, 'c0ffee')).toBe(`${worker} --control-plane --certificate-key c0ffee`);
});
