import { KeelsonError } from '../../errors/keelson-error.js';
import {
  createEncryptionKey,
  type EncryptionKey,
  readEncryption,
  withEncryptionKeys,
} from '../../pki/encryption-config.js';
import type { CertAndKey } from '../../pki/issue.js';
import { SECRET_MODE } from '../../pki/table.js';
import { awaitApi } from './await-api.js';
import { encryptionConfigPath, encryptionFile } from './encryption-file.js';
import { rewriteObjects, writtenWith } from './encryption-objects.js';
import type { RotationKind } from './kind.js';
import { isLast, issuerAfter, type Run, trustAfter } from './run.js';
import type { Step } from './state.js';

const API_MS = 240_000;

/** As rotations keep it: the name where a certificate would be. */
const asPair = ({ name, secret }: EncryptionKey): CertAndKey => ({ certPem: name, keyPem: secret });
const asKey = ({ certPem, keyPem }: CertAndKey): EncryptionKey => ({ name: certPem, secret: keyPem });

/** API servers read the file when they start. They have to know a key before another one writes with it. */
export const encryptionKey: RotationKind = {
  name: 'encryption-key',
  title: 'the key of encryption at rest',
  does: {
    trust:
      'the encryption configuration has the new key as the second; API servers are restarted, control plane after control plane',
    issue: 'the new key is the first, with which API servers write from now on; they are restarted once more',
    rewrite: 'every object that is encrypted is written anew',
    verify: 'etcd is looked at: no object may be left that the old key has encrypted',
    drop: 'the old key is taken away and API servers are restarted; there is no way back from here',
    reissue: 'API servers write with the old key again',
    'rewrite-back': 'every object that is encrypted is written anew with the old key',
    distrust: 'the new key is taken away and API servers are restarted',
  },
  consequences: [
    'with a single control plane the API is away while the API server restarts, three times',
    'snapshots of etcd from before need the old key: keep it as long as them',
  ],
  create: async (_config, { now }) => asPair(createEncryptionKey(now)),
  present: (config, files) => {
    const path = encryptionConfigPath(config) ?? '';
    const text = files.get(path)?.toString();
    return text === undefined ? null : asPair(readEncryption(text, path).key);
  },
  surveyed: false,
  refusal: (config) => {
    if (encryptionConfigPath(config) === undefined)
      return 'API servers have no argument encryption-provider-config';
    const { external, members } = config.cluster.etcd;
    return external !== undefined && members === undefined ? 'keelson can’t look into its etcd' : null;
  },
  hosts: (run) => run.planes.map(({ name }) => name),
  work: async (run, host, step) => {
    const { path, text } = await encryptionFile(run.session, host);
    const { issuer, also } = trustAfter(run.pairs, step);
    const wanted = [issuer, ...also].map(asKey);
    const gone = [run.pairs.old, run.pairs.fresh].map(asKey);
    const content = Buffer.from(withEncryptionKeys(text, path, wanted, gone));
    const restarts = ['trust', 'issue', 'reissue'].includes(step) || isLast(step);
    return {
      files: [{ path, content, mode: SECRET_MODE }],
      pods: restarts ? [{ components: ['kube-apiserver'] }] : [],
      kubelet: false,
    };
  },
  settled: async (run, host, step) => {
    await awaitReady(run, host);
    if (step === 'verify' && host === run.planes[0]?.name) await refuseLeft(run, step);
  },
  objects: async () => undefined,
  rewrite: async (run, step) => {
    await rewriteObjects(run);
    await refuseLeft(run, step);
  },
  leftovers: () => [],
};

async function awaitReady(run: Run, host: string): Promise<void> {
  const plane = run.planes.find(({ name }) => name === host);
  await awaitApi(
    run,
    async () => {
      const { status } = await (await run.api(plane)).request('GET', '/readyz', { timeoutMs: 5_000 });
      return { met: status === 200, state: `it answers ${status}` };
    },
    { host, for: `the API server of ${host}`, deadlineMs: API_MS },
  );
}

/** @throws VERIFY where etcd has objects that the key which goes has encrypted */
async function refuseLeft(run: Run, step: Step): Promise<void> {
  const goes = issuerAfter(step) === 'fresh' ? run.pairs.old : run.pairs.fresh;
  const left = await writtenWith(run, asKey(goes).name);
  const [first] = left;
  if (first === undefined) return;
  throw new KeelsonError('VERIFY', `${left.length} objects are of the key that goes, as ${first}`, {
    hint: 'run the same command again',
    details: left,
  });
}
