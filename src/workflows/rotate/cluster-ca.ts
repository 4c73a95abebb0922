import type { ClusterConfig } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { FileSpec } from '../../host/types.js';
import { KUBELET_CLIENT_CERTIFICATE, KUBELET_CONF } from '../../phases/paths.js';
import { readKubeconfig, withAuthorities } from '../../pki/kubeconfig.js';
import { isIssuedBy, issueKubeletClient, trustBundle } from '../../pki/rotation.js';
import { CERTIFICATE_MODE, certificatePaths, SECRET_MODE } from '../../pki/table.js';
import { authorityPair } from './authority-pair.js';
import { clusterCaObjects } from './cluster-ca-objects.js';
import { clusterCaSettled } from './cluster-ca-settled.js';
import { authorityFiles } from './host-files.js';
import type { HostWork, RotationKind } from './kind.js';
import { authorityOf, isLast, issuerAfter, type Run, trustAfter } from './run.js';
import type { Step } from './state.js';

/** No key leaves the host. */
const KUBELET_CERTIFICATE = `sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' ${KUBELET_CLIENT_CERTIFICATE}`;

const pathsOf = (config: ClusterConfig) => certificatePaths(config.cluster, { baseName: 'ca' });

/**
 * The pair that the controller manager signs with. It takes a file with one certificate only, and ca.crt has two
 * for the time of the rotation.
 */
const signerOf = (config: ClusterConfig) => certificatePaths(config.cluster, { baseName: 'rotation-signer' });

export const clusterCa: RotationKind = {
  name: 'cluster-ca',
  title: 'the cluster CA',
  refusal: () => null,
  beforeRestart: async () => undefined,
  does: {
    trust:
      'ca.crt, kubeconfigs, cluster-info and kube-root-ca.crt hold the old and the new CA; kubelets, controller managers and schedulers are restarted, host after host',
    restart: 'pods that hold the old CA only are replaced',
    issue:
      'API servers, kubelets, controllers and admins get certificates of the new CA, which signs from now on; kubelets, controller managers and schedulers are restarted',
    verify: 'every file and every handshake is looked at: nothing may be of the old CA alone',
    drop: 'the old CA is taken away everywhere and its key is removed; there is no way back from here',
    reissue: 'API servers, kubelets, controllers and admins get certificates of the old CA again',
    distrust: 'the new CA is taken away everywhere and its key is removed',
  },
  consequences: [
    'kubeconfigs outside of the cluster trust the old CA only: from issue on they do not reach the API any more. End with --until trust, hand out admin.conf as it is then, or its CA, and go on',
    'client certificates that the old CA signed for users are refused from drop on: they have to be issued anew',
    'bootstrap tokens stay; join commands with the pin of the old CA are refused from drop on',
  ],
  ...authorityPair('ca'),
  hosts: (run) => run.nodes.map(({ name }) => name),
  work: async (run, host, step) => {
    const plane = run.planes.some(({ name }) => name === host);
    const files = plane ? await planeFiles(run, host, step) : [await workerCa(run, step)];
    const identity = await kubeletIdentity(run, host, step);
    return {
      files: [...files, await kubeletConf(run, host, step)],
      ...(identity === null ? {} : { kubeletIdentity: identity }),
      pods: plane ? [controllers(run)] : [],
      kubelet: true,
    };
  },
  settled: clusterCaSettled,
  objects: clusterCaObjects,
  leftovers: (config) => Object.values(signerOf(config)),
  // API servers read their client certificate for kubelets every five minutes.
  lingerMs: 310_000,
};

async function planeFiles(run: Run, host: string, step: Step): Promise<FileSpec[]> {
  const { context } = run.session;
  const { config } = context;
  const trust = trustAfter(run.pairs, step);
  const specs = await authorityFiles(run, host, 'ca', step);
  if (isLast(step)) return specs;
  const signer = signerOf(config);
  return [
    ...specs,
    { path: signer.cert, content: Buffer.from(trust.issuer.certPem), mode: CERTIFICATE_MODE },
    { path: signer.key, content: Buffer.from(trust.issuer.keyPem), mode: SECRET_MODE },
  ];
}

async function workerCa(run: Run, step: Step): Promise<FileSpec> {
  return {
    path: pathsOf(run.session.context.config).cert,
    content: Buffer.from(trustBundle(trustAfter(run.pairs, step))),
    mode: CERTIFICATE_MODE,
  };
}

async function kubeletConf(run: Run, host: string, step: Step): Promise<FileSpec> {
  const { files } = await run.session.effects.host(host).read({ files: [KUBELET_CONF] });
  const text = files.get(KUBELET_CONF)?.content?.toString('utf8');
  if (text === undefined || readKubeconfig(text, KUBELET_CONF).certPem !== null) {
    throw new KeelsonError('CONFLICT', `${KUBELET_CONF} does not refer to ${KUBELET_CLIENT_CERTIFICATE}`, {
      host,
      hint: 'run keelson apply first',
    });
  }
  const content = withAuthorities(text, KUBELET_CONF, trustBundle(trustAfter(run.pairs, step)));
  return { path: KUBELET_CONF, content: Buffer.from(content), mode: SECRET_MODE };
}

/** A new client certificate for the kubelet; null where it has one of the issuer. */
async function kubeletIdentity(run: Run, host: string, step: Step): Promise<Buffer | null> {
  const { context, effects } = run.session;
  const { stdout } = await effects.host(host).query(['sh', '-c', KUBELET_CERTIFICATE]);
  const now = new Date(context.now());
  const which = issuerAfter(step);
  if (isIssuedBy(stdout.toString('utf8'), run.pairs[which], KUBELET_CLIENT_CERTIFICATE, now)) return null;
  const node = context.hostNamed(host).nodeRegistration.name;
  const { certPem, keyPem } = await issueKubeletClient(
    context.config.cluster,
    node,
    await authorityOf(run.pairs, which),
    { now },
  );
  return Buffer.from(certPem + keyPem);
}

/** Both have kubeconfigs in memory; the controller manager also what it publishes and signs with. */
function controllers(run: Run): HostWork['pods'][number] {
  const signer = signerOf(run.session.context.config);
  return {
    components: ['kube-controller-manager', 'kube-scheduler'],
    arguments: {
      'kube-controller-manager': {
        'cluster-signing-cert-file': signer.cert,
        'cluster-signing-key-file': signer.key,
      },
    },
  };
}
