import { type Document, parseAllDocuments } from 'yaml';
import type { ClusterConfiguration } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';

/** Name of the machine's node: one that no cluster has, so that no pod of the backup is bound to it. */
export const DRILL_NODE = 'keelson-drill';

/** Arguments of an API server without which it would not read what another one has stored. */
const STORAGE_ARGUMENTS = [
  'encryption-provider-config',
  'feature-gates',
  'runtime-config',
  'service-account-issuer',
];

/** Path of the file that says how Secrets are encrypted; undefined where they are not. */
export function encryptionFile({ apiServer }: Pick<ClusterConfiguration, 'apiServer'>): string | undefined {
  return apiServer.extraArgs?.find(({ name }) => name === 'encryption-provider-config')?.value;
}

/**
 * The cluster file of a lab of one machine, for a control plane that reads the store of the backup's cluster: with
 * its addresses of services, certificates and encryption, and nothing else of it. Pure.
 * @param lab text of the file as the lab wrote it
 * @param cluster configuration of the cluster in the backup
 */
export function drillClusterFile(lab: string, cluster: ClusterConfiguration): string {
  const documents = parseAllDocuments(lab);
  const named = (kind: string): Document => {
    const found = Array.isArray(documents)
      ? documents.find((document) => document.get('kind') === kind)
      : undefined;
    if (found === undefined) throw new KeelsonError('BUG', `the lab's cluster file has no ${kind}`);
    return found as unknown as Document;
  };
  named('Cluster').setIn(['spec', 'hosts', 0, 'name'], DRILL_NODE);
  const configuration = named('ClusterConfiguration');
  configuration.setIn(['networking', 'serviceSubnet'], cluster.networking.serviceSubnet);
  configuration.setIn(['networking', 'dnsDomain'], cluster.networking.dnsDomain);
  configuration.set('certificatesDir', cluster.certificatesDir);
  const file = encryptionFile(cluster);
  const extraArgs = (cluster.apiServer.extraArgs ?? []).filter(({ name }) =>
    STORAGE_ARGUMENTS.includes(name),
  );
  const volume = { name: 'encryption', hostPath: file, mountPath: file, readOnly: true, pathType: 'File' };
  const apiServer = {
    ...(extraArgs.length === 0 ? {} : { extraArgs }),
    ...(file === undefined ? {} : { extraVolumes: [volume] }),
  };
  if (Object.keys(apiServer).length > 0) configuration.set('apiServer', configuration.createNode(apiServer));
  return Array.isArray(documents) ? documents.map(String).join('') : lab;
}
