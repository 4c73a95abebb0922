import { type E2eLab, keelson, kubectl, onNode } from '../e2e/support.js';
import { agnhost, applyObjects, imageOf } from './load.js';

const NAME = 'replicated';
const PORT = 8080;
const STOP = '/run/service-probe-stop';

const labels = { app: NAME };

/** Two replicas apart from each other, one of which may be away at a time, and which end when nobody sends them anything. */
const objects = (image: string): object[] => [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: NAME },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 15,
          tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }],
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: labels },
            },
          ],
          containers: [
            {
              ...agnhost(image, ['/agnhost', 'netexec', `--http-port=${PORT}`, '--udp-port=-1']),
              readinessProbe: { httpGet: { path: '/hostname', port: PORT }, periodSeconds: 1 },
              lifecycle: { preStop: { sleep: { seconds: 8 } } },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: NAME },
    spec: { minAvailable: 1, selector: { matchLabels: labels } },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME },
    spec: { selector: labels, ports: [{ port: PORT }] },
  },
];

/** Until it is told to stop, or for an hour: asks ten times a second, each time over a new connection. */
const asking = (address: string) => `n=0
rm -f ${STOP}
until [ -e ${STOP} ] || [ $n -gt 36000 ]; do
  curl -s -f -m 5 -o /dev/null "http://${address}:${PORT}/hostname" && n=$((n+1)) || echo "failed $(date -u +%T) $?"
  sleep 0.1
done
echo "ok $n"`;

interface ServiceProbe {
  stop: () => Promise<{ ok: number; failed: string[] }>;
}

/** Asks a Service of two replicas from a machine of the lab. */
export async function startServiceProbe(lab: E2eLab, from: string): Promise<ServiceProbe> {
  await applyObjects(lab, objects(await imageOf(lab)));
  await kubectl(lab, 'rollout', 'status', `deployment/${NAME}`, '--timeout=120s');
  const address = await kubectl(lab, 'get', 'service', NAME, '-o', 'jsonpath={.spec.clusterIP}');
  const ssh = ['lab', 'ssh', from, '--name', lab.name, '--', 'sh', '-c', asking(address)];
  const done = keelson(ssh, { timeoutMs: 3_600_000 });
  return {
    stop: async () => {
      await onNode(lab, from, `touch ${STOP}`);
      const said = (await done).stdout.split('\n');
      const ok = Number(said.find((line) => line.startsWith('ok '))?.slice(3) ?? 0);
      return { ok, failed: said.filter((line) => line.startsWith('failed')) };
    },
  };
}
