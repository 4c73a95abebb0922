import type { ClusterConfig } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { FileSpec } from '../../host/types.js';
import { lastArgument } from '../../manifests/component-arguments.js';
import { KUBELET_CLIENT_CERTIFICATE, KUBELET_CONF, KUBELET_SERVER_CERTIFICATE } from '../../phases/paths.js';
import { inspectBundle } from '../../pki/inspect.js';
import { readKubeconfig, withAuthorities } from '../../pki/kubeconfig.js';
import { isIssuedBy, issueKubeletLeaf, trustBundle } from '../../pki/rotation.js';
import type { Sans } from '../../pki/san.js';
import { CERTIFICATE_MODE, certificatePaths, SECRET_MODE } from '../../pki/table.js';
import { authorityPair } from './authority-pair.js';
import { clusterCaObjects } from './cluster-ca-objects.js';
import { clusterCaSettled } from './cluster-ca-settled.js';
import { authorityFiles } from './host-files.js';
import type { HostWork, RotationKind } from './kind.js';
import { authorityOf, isLast, issuerAfter, type Run, trustAfter } from './run.js';
import type { Step } from './state.js';

/** No key leaves the host. Prints nothing where there is no file. */
const certificateIn = (path: string) =>
  `[ ! -e ${path} ] || sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' ${path}`;

/** Kubelets keep the certificates that they had; those of the CA that is gone are of no use. */
const PRUNE = `cd /var/lib/kubelet/pki || exit 0
for kind in client server; do
  current=$(readlink kubelet-$kind-current.pem) || continue
  for file in kubelet-$kind-2*.pem; do
    [ "$file" = "$(basename "$current")" ] || rm -f "$file"
  done
done
`;

const pathsOf = (config: ClusterConfig) => certificatePaths(config.cluster, { baseName: 'ca' });

/**
 * The pair that the controller manager signs with. It takes a file with one certificate only, and ca.crt has two
 * for the time of the rotation.
 */
const signerOf = (config: ClusterConfig) => certificatePaths(config.cluster, { baseName: 'rotation-signer' });

export const clusterCa: RotationKind = {
  name: 'cluster-ca',
  title: 'the cluster CA',
  surveyed: true,
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
    return {
      files: [...files, await kubeletConf(run, host, step)],
      kubeletPairs: await kubeletPairs(run, host, step),
      pods: plane ? [restartedPods(run, step)] : [],
      kubelet: true,
    };
  },
  settled: async (run, host, step) => {
    await clusterCaSettled(run, host, step);
    if (isLast(step)) await run.session.effects.host(host).script({ name: 'rotate/prune', text: PRUNE });
  },
  objects: clusterCaObjects,
  leftovers: (config) => Object.values(signerOf(config)),
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

/**
 * New certificates for the kubelet: for the API, and for serving where the cluster's CA gave it one, with the names
 * that were approved then. None where it has one of the issuer.
 */
async function kubeletPairs(
  run: Run,
  host: string,
  step: Step,
): Promise<NonNullable<HostWork['kubeletPairs']>> {
  const { context, effects } = run.session;
  const now = new Date(context.now());
  const which = issuerAfter(step);
  const other = which === 'old' ? 'fresh' : 'old';
  const node = context.hostNamed(host).nodeRegistration.name;
  const authority = await authorityOf(run.pairs, which);
  const { probes } = await effects.host(host).read({
    probes: {
      client: certificateIn(KUBELET_CLIENT_CERTIFICATE),
      server: certificateIn(KUBELET_SERVER_CERTIFICATE),
    },
  });
  const found = (probe: string) => probes.get(probe)?.stdout ?? '';
  const pairs: { current: string; content: Buffer }[] = [];
  const add = async (current: string, sans: Sans | null) => {
    const { certPem, keyPem } = await issueKubeletLeaf(context.config.cluster, node, sans, authority, {
      now,
    });
    pairs.push({ current, content: Buffer.from(certPem + keyPem) });
  };
  if (!isIssuedBy(found('client'), run.pairs[which], KUBELET_CLIENT_CERTIFICATE, now))
    await add(KUBELET_CLIENT_CERTIFICATE, null);
  const serving = found('server');
  // One of somebody else's authority is theirs to replace.
  if (serving !== '' && isIssuedBy(serving, run.pairs[other], KUBELET_SERVER_CERTIFICATE, now))
    await add(KUBELET_SERVER_CERTIFICATE, inspectBundle(serving, KUBELET_SERVER_CERTIFICATE)[0].sans);
  return pairs;
}

/**
 * Controller manager and scheduler have kubeconfigs in memory, the first also what it publishes and signs with. An
 * API server that checks kubelets' certificates is to read whom it trusts for that.
 */
function restartedPods(run: Run, step: Step): HostWork['pods'][number] {
  const { config } = run.session.context;
  const signer = signerOf(config);
  const checks =
    (lastArgument(config.cluster.apiServer.extraArgs, 'kubelet-certificate-authority') ?? '') !== '' &&
    (step === 'trust' || isLast(step));
  return {
    components: [
      ...(checks ? (['kube-apiserver'] as const) : []),
      'kube-controller-manager',
      'kube-scheduler',
    ],
    arguments: {
      'kube-controller-manager': {
        'cluster-signing-cert-file': signer.cert,
        'cluster-signing-key-file': signer.key,
      },
    },
  };
}
