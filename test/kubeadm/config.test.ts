import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { migrateConfig } from '../../src/config/migrate.js';
import { kubeadmDocuments, printDocuments } from '../../src/config/print.js';
import { CLUSTER, KUBEADM, parse, stream } from '../unit/config/support.js';
import { kubeadmAvailable, ORACLE_VERSIONS, runKubeadm, withOracleDirectory } from './oracle.js';

/** kubeadm adds a random token where there is none, and speaks of the machine it runs on. */
const TOKEN = '- token: abcdef.0123456789abcdef';
const INIT = `apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nbootstrapTokens:\n${TOKEN}\n`;

const CASES: Record<string, string> = {
  'the smallest': stream(CLUSTER, KUBEADM, INIT),
  'ECDSA keys and short validity': stream(
    CLUSTER,
    `${KUBEADM}encryptionAlgorithm: ECDSA-P384\ncertificateValidityPeriod: 36h\ncaCertificateValidityPeriod: 90m\n`,
    INIT,
  ),
  'dual stack': stream(
    CLUSTER.replaceAll(/address: (10\.0\.0\.(\d))/g, 'address: $1, nodeIP: "$1,fc00::$2"'),
    KUBEADM.replace(
      '{podSubnet: 10.244.0.0/16}',
      '{podSubnet: "10.244.0.0/16,fd00::/56", serviceSubnet: "10.96.0.0/16,fd01::/108", dnsDomain: a.b}',
    ),
    INIT,
  ),
  'external etcd': stream(
    CLUSTER,
    `${KUBEADM}etcd: {external: {endpoints: ["https://e:2379"], caFile: /a, certFile: /b, keyFile: /c}}\n`,
    INIT,
  ),
  'flags, volumes, variables and feature gates': stream(
    CLUSTER,
    `${KUBEADM}apiServer:
  certSANs: ["*.example.com", "fd00::1"]
  extraArgs: [{name: v, value: "0640"}, {name: v, value: "yes"}]
  extraVolumes: [{name: x, hostPath: /x, mountPath: /y, readOnly: true, pathType: Directory}]
  extraEnvs: [{name: A, value: "on"}, {name: B, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
etcd: {local: {dataDir: /d, serverCertSANs: [e.example.com], extraArgs: [{name: a, value: b}]}}
dns: {disabled: true, imageTag: v1}
proxy: {disabled: true}
featureGates: {RootlessControlPlane: false}
controlPlaneEndpoint: "[fd00::9]:7443"
`,
    `${INIT}nodeRegistration: {taints: [], imagePullPolicy: Never, imagePullSerial: false, kubeletExtraArgs: [{name: v, value: "2"}]}
patches: {directory: /p}
skipPhases: [addon/coredns]
timeouts: {etcdAPICall: 90s}
`,
  ),
};

describe.each(ORACLE_VERSIONS)('kubeadm %s', (version) => {
  const it = test.skipIf(!kubeadmAvailable(version));
  const of = (text: string) => text.replace('v1.36.3', version);

  const kubeadm = (verb: string, flag: string, text: string): Promise<string> =>
    withOracleDirectory(async (cwd) => {
      const file = join(cwd, 'config.yaml');
      await writeFile(file, text);
      return (await runKubeadm(version, ['config', verb, flag, file], { cwd })).stdout;
    });

  it.each(Object.entries(CASES))('accepts what is printed of %s, and adds nothing', async (_, text) => {
    const printed = printDocuments(kubeadmDocuments(parse(of(text))));
    expect(await kubeadm('validate', '--config', printed)).toBe('ok\n');
    const theirs = byKind(await kubeadm('migrate', '--old-config', printed));
    const ours = byKind(printed);
    expect(ours.ClusterConfiguration).toEqual(theirs.ClusterConfiguration);
    expect(comparable(ours.InitConfiguration)).toEqual(comparable(theirs.InitConfiguration));
  });

  it('accepts what is migrated from v1beta3, and means the same by it', async () => {
    const old = of(readFileSync(new URL('../unit/config/testdata/v1beta3.yaml', import.meta.url), 'utf8'));
    const { text } = migrateConfig(old);
    expect(await kubeadm('validate', '--config', text)).toBe('ok\n');
    const [ours, theirs] = [
      await kubeadm('migrate', '--old-config', text),
      await kubeadm('migrate', '--old-config', old),
    ];
    const [a, b] = [byKind(ours), byKind(theirs)];
    expect(a.ClusterConfiguration).toEqual(b.ClusterConfiguration);
    expect(comparable(a.InitConfiguration)).toEqual(comparable(b.InitConfiguration));
    expect(comparable(a.JoinConfiguration)).toEqual(comparable(b.JoinConfiguration));
  });
});

function byKind(text: string): Record<string, Record<string, unknown>> {
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>);
  return Object.fromEntries(documents.map((document) => [String(document.kind), document]));
}

/**
 * Without what `kubeadm config migrate` changes by itself: it spells out taints that are left to it, and sets
 * controlPlaneComponentHealthCheck of a v1beta4 document to 0s.
 */
function comparable(document: Record<string, unknown> | undefined): unknown {
  const { taints: _, ...nodeRegistration } = (document?.nodeRegistration ?? {}) as Record<string, unknown>;
  const { controlPlaneComponentHealthCheck: __, ...timeouts } = (document?.timeouts ?? {}) as Record<
    string,
    unknown
  >;
  return { ...document, nodeRegistration, timeouts };
}
