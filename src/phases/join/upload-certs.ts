import type { Secret } from 'kubernetes-types/core/v1.js';
import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { pathOf } from '../../cluster/paths.js';
import { durationMs } from '../../config/go-duration.js';
import { SATISFIED, type Verdict } from '../../engine/phase.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { decryptWithKey, parseCertificateKey } from '../../join/certificate-key.js';
import { TOKEN_NAMESPACE, tokenFromSecret, tokenSecret } from '../../join/token.js';
import {
  CERTS_SECRET,
  CERTS_TTL,
  certsAccess,
  certsSecret,
  expiryToken,
  filesToUpload,
} from '../../join/uploaded-certs.js';
import { API } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';

/** An upload that has lost more of its time than this is made again, milliseconds. */
const FRESH_MS = 10 * 60_000;

const secretRef = (name: string) => ({ apiVersion: 'v1', kind: 'Secret', namespace: TOKEN_NAMESPACE, name });

/** Only where a certificate key was given or asked for: keelson itself hands the files over through SSH. */
export const uploadCerts = defineClusterPhase({
  name: 'upload-certs',
  summary: 'Secret kubeadm-certs, from which kubeadm join --control-plane takes what control planes share',
  target: 'cluster',
  needs: [API],
  provides: [],
  runIf: ({ certificateKey }) => certificateKey !== null,
  check: async (context) => {
    const reason = await staleness(context);
    if (reason === null) return SATISFIED;
    const summary = `upload authorities and service-account keys, encrypted, as Secret ${TOKEN_NAMESPACE}/${CERTS_SECRET} for ${CERTS_TTL}`;
    const changes: Verdict['changes'] = [{ kind: 'action', name: 'upload', summary }];
    return { standing: 'missing', reasons: [reason], changes };
  },
  actions: { upload },
});

async function upload(context: PhaseContext): Promise<void> {
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to upload to');
  const key = keyOf(context);
  const contents = await contentsOf(context);
  const token = tokenSecret(expiryToken(), new Date(context.now())) as unknown as KubeObject;
  const { name, uid } = (await client.apply(token)).metadata;
  const secret = certsSecret(contents, key, { name, uid: String(uid) });
  // Made anew: an owner of before would take it along when it expires.
  await client.remove(secretRef(CERTS_SECRET));
  const collection = pathOf(secretRef('')).replace(/\/$/, '');
  await client.request('POST', `${collection}?fieldManager=keelson`, { body: JSON.stringify(secret) });
  await Promise.all(certsAccess().map((object) => client.apply(object as unknown as KubeObject)));
}

function keyOf({ certificateKey }: PhaseContext): Buffer {
  if (certificateKey === null) throw new KeelsonError('BUG', 'there is no certificate key');
  return parseCertificateKey(certificateKey);
}

/** The files as they lie on the first control plane, by their names in the Secret. */
async function contentsOf(context: PhaseContext): Promise<Map<string, Buffer | undefined>> {
  const names = filesToUpload(context.config.cluster);
  const seen = await context.reader(context.first.name).read({ files: [...names.values()] });
  return new Map([...names].map(([name, path]) => [name, seen.files.get(path)?.content]));
}

/** Why the upload is to be made; null where the Secret has the present files under this key for long enough. */
async function staleness(context: PhaseContext): Promise<string | null> {
  const key = keyOf(context);
  const missing = `Secret ${TOKEN_NAMESPACE}/${CERTS_SECRET} is missing`;
  const client = context.api();
  if (client === null) return missing;
  try {
    const secret = (await client.get(secretRef(CERTS_SECRET))) as Secret | null;
    if (secret === null) return missing;
    if (!(await lastsLong(context, client, secret))) return 'what was uploaded expires soon';
    for (const [name, content] of await contentsOf(context)) {
      const uploaded = Buffer.from(secret.data?.[name] ?? '', 'base64');
      const same =
        content === undefined
          ? uploaded.length === 0
          : decryptWithKey(uploaded, key)?.equals(content) === true;
      if (!same) return 'what was uploaded has another key or other content';
    }
    return null;
  } catch (error) {
    // Before the first start there is nothing that could answer.
    if (error instanceof KeelsonError && error.code === 'CONNECTION') return missing;
    throw error;
  }
}

async function lastsLong(context: PhaseContext, client: ClusterClient, secret: Secret): Promise<boolean> {
  const [owner] = secret.metadata?.ownerReferences ?? [];
  const holder = owner === undefined ? null : await client.get(secretRef(owner.name));
  const expires = holder === null ? undefined : tokenFromSecret(holder as unknown as Secret)?.expires;
  return expires !== undefined && Date.parse(expires) - context.now() > durationMs(CERTS_TTL) - FRESH_MS;
}
