import type { Secret } from 'kubernetes-types/core/v1.js';
import { statusOf } from '../cluster/client.js';
import type { BootstrapTokenSpec } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { joinCommand } from '../join/join-command.js';
import {
  parseToken,
  TOKEN_NAMESPACE,
  TOKEN_SECRET_TYPE,
  tokenFromSecret,
  tokenSecret,
  tokenSecretName,
} from '../join/token.js';
import { outsideUrl } from '../manifests/addresses.js';
import { clusterApi } from './cluster-api.js';
import type { Session } from './session.js';

const SECRETS = `/api/v1/namespaces/${TOKEN_NAMESPACE}/secrets`;

/**
 * Makes a bootstrap token known to the cluster.
 * @param certificateKey of uploaded certificates: makes it the command of a control plane
 * @returns the `kubeadm join` command with it, of a worker. A secret, as the token is.
 * @throws USAGE, CONFIG for a malformed field; CONFLICT where a token with this id exists
 */
export async function createToken(
  session: Session,
  spec: BootstrapTokenSpec,
  certificateKey?: string,
): Promise<{ join: string }> {
  const { id } = parseToken(spec.token);
  const secret = tokenSecret(spec, new Date(session.context.now()));
  const client = await clusterApi(session);
  const caPem = session.context.trust.caCertificate();
  if (caPem === null) throw new KeelsonError('PKI', 'the first control plane has no CA certificate');
  try {
    await client.request('POST', `${SECRETS}?fieldManager=keelson`, { body: JSON.stringify(secret) });
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
    throw new KeelsonError('CONFLICT', `a bootstrap token with id ${id} already exists`, {
      hint: `delete it with keelson token delete ${id}, or let keelson choose a token`,
    });
  }
  const address = { server: outsideUrl(session.context.config), caPem };
  return { join: joinCommand(address, spec.token, certificateKey) };
}

/** The cluster's bootstrap tokens, those that expire first at the beginning. Secrets. */
export async function listTokens(session: Session): Promise<BootstrapTokenSpec[]> {
  const client = await clusterApi(session);
  const selector = `fieldSelector=type%3D${encodeURIComponent(TOKEN_SECRET_TYPE)}`;
  const secrets = await client.list(`${SECRETS}?${selector}`);
  return secrets
    .map((secret) => tokenFromSecret(secret as unknown as Secret))
    .filter((token) => token !== null)
    .sort((a, b) => (a.expires ?? '9').localeCompare(b.expires ?? '9') || a.token.localeCompare(b.token));
}

/** Ids of tokens that are named by them, or as a whole. @throws USAGE for what is neither */
export function tokenIds(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => (/^[a-z0-9]{6}$/.test(name) ? name : parseToken(name).id)))];
}

/**
 * Deletes bootstrap tokens.
 * @param names ids, or whole tokens
 * @returns the ids
 * @throws USAGE for what is neither, before anything is deleted; CONFLICT naming those that did not exist
 */
export async function deleteTokens(session: Session, names: readonly string[]): Promise<string[]> {
  const ids = tokenIds(names);
  const client = await clusterApi(session);
  const missing: string[] = [];
  for (const id of ids) {
    try {
      await client.request('DELETE', `${SECRETS}/${tokenSecretName(id)}`);
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      missing.push(id);
    }
  }
  if (missing.length > 0) {
    throw new KeelsonError('CONFLICT', `there is no bootstrap token ${missing.join(', ')}`, {
      hint: 'keelson token list shows them all',
    });
  }
  return ids;
}
