import { parse, stringify } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';

/** A user's credentials in a kubeconfig. */
type KubeconfigUser = { certPem: string; keyPem: string } | { token: string };

export interface KubeconfigContent {
  clusterName: string;
  server: string;
  /** PEM certificates that are trusted as the API server's authority. */
  caPem: string;
  userName: string;
  user: KubeconfigUser;
}

/** What a kubeconfig's current context means. Files that it refers to are paths, embedded data is text. */
export interface KubeconfigView {
  clusterName: string;
  server: string;
  caPem: string | null;
  caFile: string | null;
  userName: string;
  certPem: string | null;
  keyPem: string | null;
  certFile: string | null;
  keyFile: string | null;
  token: string | null;
}

/** YAML as Kubernetes' clients write kubeconfigs: keys sorted, lists not indented, data embedded in base64. */
export function kubeconfigText(content: KubeconfigContent): string {
  const { clusterName, userName } = content;
  const context = `${userName}@${clusterName}`;
  return kubeconfigYaml({
    apiVersion: 'v1',
    clusters: [
      {
        cluster: { 'certificate-authority-data': base64(content.caPem), server: content.server },
        name: clusterName,
      },
    ],
    contexts: [{ context: { cluster: clusterName, user: userName }, name: context }],
    'current-context': context,
    kind: 'Config',
    users: [{ name: userName, user: userFields(content.user) }],
  });
}

/** An object as kubeconfig YAML. */
export function kubeconfigYaml(value: Record<string, unknown>): string {
  return stringify(value, { compat: 'yaml-1.1', lineWidth: 0, indentSeq: false });
}

/**
 * The current context of a kubeconfig. Throws PKI naming `path` where the text is no kubeconfig, or where
 * it has no such context, cluster or user.
 */
export function readKubeconfig(text: string, path: string): KubeconfigView {
  const root = parseYaml(text, path);
  const current = root['current-context'];
  const context = named(root.contexts, current, 'context');
  const cluster = context && named(root.clusters, context.cluster, 'cluster');
  const user = context && named(root.users, context.user, 'user');
  if (!context || !cluster || !user) {
    throw new KeelsonError('PKI', `${path} has no complete current context`, {
      hint: 'remove the file so that it is written anew, or give it a current-context with its cluster and user',
    });
  }
  return {
    clusterName: String(context.cluster),
    server: string(cluster.server) ?? '',
    caPem: decoded(cluster['certificate-authority-data']),
    caFile: string(cluster['certificate-authority']),
    userName: String(context.user),
    certPem: decoded(user['client-certificate-data']),
    keyPem: decoded(user['client-key-data']),
    certFile: string(user['client-certificate']),
    keyFile: string(user['client-key']),
    token: string(user.token),
  };
}

/**
 * The kubeconfig with another server in the cluster of its current context; all else stays. Throws as
 * `readKubeconfig`.
 * @param tlsServerName what the server's certificate is checked for instead of the server's name
 */
export function withServer(text: string, path: string, server: string, tlsServerName?: string): string {
  const { clusterName } = readKubeconfig(text, path);
  const root = parseYaml(text, path);
  const cluster = named(root.clusters, clusterName, 'cluster');
  if (cluster !== undefined) cluster.server = server;
  if (cluster !== undefined && tlsServerName !== undefined) cluster['tls-server-name'] = tlsServerName;
  return kubeconfigYaml(root);
}

/**
 * The kubeconfig with other certificates trusted as the API server's authority; all else stays. Throws as
 * `readKubeconfig`.
 */
export function withAuthorities(text: string, path: string, caPem: string): string {
  const { clusterName } = readKubeconfig(text, path);
  const root = parseYaml(text, path);
  const cluster = named(root.clusters, clusterName, 'cluster');
  if (cluster !== undefined) {
    delete cluster['certificate-authority'];
    cluster['certificate-authority-data'] = base64(caPem);
  }
  return kubeconfigYaml(root);
}

/**
 * The kubeconfig with other credentials for the user of its current context; all else stays. Throws as
 * `readKubeconfig`.
 */
export function withUser(
  text: string,
  path: string,
  credentials: { certPem: string; keyPem: string },
): string {
  const { userName } = readKubeconfig(text, path);
  const root = parseYaml(text, path);
  const user = named(root.users, userName, 'user');
  if (user !== undefined) {
    for (const field of ['client-certificate', 'client-key']) delete user[field];
    Object.assign(user, userFields(credentials));
  }
  return kubeconfigYaml(root);
}

type Fields = Record<string, unknown>;

function userFields(user: KubeconfigUser): Fields {
  if ('token' in user) return { token: user.token };
  return { 'client-certificate-data': base64(user.certPem), 'client-key-data': base64(user.keyPem) };
}

function parseYaml(text: string, path: string): Fields {
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    // The parser's message quotes the text, which holds a key.
    value = undefined;
  }
  if (isFields(value)) return value;
  throw new KeelsonError('PKI', `${path} is no kubeconfig`, {
    hint: 'remove the file so that it is written anew',
  });
}

function named(list: unknown, name: unknown, field: string): Fields | undefined {
  if (!Array.isArray(list)) return undefined;
  const entry: unknown = list.find((candidate) => isFields(candidate) && candidate.name === name);
  const value = isFields(entry) ? entry[field] : undefined;
  return isFields(value) ? value : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function string(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decoded(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? Buffer.from(value, 'base64').toString() : null;
}
