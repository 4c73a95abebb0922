import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drift, type E2eLab, keelson, kubectl, labDown, labUp, succeed } from '../e2e/support.js';

/** On every node already. */
const IMAGE = 'registry.k8s.io/pause:3.10.2';

const CHART: Readonly<Record<string, string>> = {
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\nkubeVersion: ">=1.30.0-0"\n',
  'values.yaml': `image: ${IMAGE}\nreplicas: 1\ngreeting: hello\n`,
  'values.schema.json': '{"type": "object", "properties": {"replicas": {"type": "integer"}}}',
  'crds/gadgets.yaml': `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.charts.example.com}
spec:
  group: charts.example.com
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets, singular: gadget}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`,
  'templates/shop.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-web}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "{{ .Values.image }}"}]
---
apiVersion: charts.example.com/v1
kind: Gadget
metadata: {name: first}
spec: {greeting: {{ .Values.greeting | quote }}, kubernetes: {{ .Capabilities.KubeVersion.Version }}}
`,
  'templates/hooks.yaml': `apiVersion: batch/v1
kind: Job
metadata: {name: prepare, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
spec:
  template:
    metadata: {annotations: {greeting: {{ .Values.greeting | quote }}}}
    spec:
      restartPolicy: Never
      containers:
        - {name: done, image: "ghcr.io/flannel-io/flannel:v0.28.10", command: [/bin/sh, -c, "exit 0"]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: only-when-deleted, annotations: {helm.sh/hook: pre-delete}}
`,
};

const KUSTOMIZATION: Readonly<Record<string, string>> = {
  'base/kustomization.yaml': 'resources: [notes.yaml]\n',
  'base/notes.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {who: base}
---
apiVersion: v1
kind: Namespace
metadata: {name: notes}
`,
  'prod/kustomization.yaml': `resources: [../base]
namespace: notes
patches: [{patch: '[{"op": "replace", "path": "/data/who", "value": "prod"}]', target: {kind: ConfigMap}}]
`,
};

describe('charts and kustomizations of spec.addons', () => {
  let lab: E2eLab;
  const put = async (folder: string, files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) {
      const path = join(lab.directory, folder, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
  };
  const setAddons = async (...addons: string[]) => {
    const text = (await readFile(lab.clusterFile, 'utf8')).replace(/^ {2}addons:\n( {4}.*\n)*/m, '');
    const block = addons.length === 0 ? '' : `  addons:\n${addons.map((line) => `    - ${line}\n`).join('')}`;
    await writeFile(lab.clusterFile, text.replace(/^spec:\n/m, `spec:\n${block}`));
  };
  const chart = (values: string) =>
    `{name: shop, manifests: [{chart: {file: chart, namespace: shop, valuesFiles: [values.yaml], values: ${values}}}]}`;
  const NOTES = '{name: notes, manifests: [{kustomize: notes/prod}]}';
  const field = (what: string, path: string) =>
    kubectl(lab, 'get', ...what.split(' '), '-o', `jsonpath={${path}}`);
  beforeAll(async () => {
    lab = await labUp('e2echart', '--workers', '1');
    await put('chart', CHART);
    await put('notes', KUSTOMIZATION);
    await put('', { 'values.yaml': 'greeting: good morning\nreplicas: 1\n' });
  });
  afterAll(() => labDown('e2echart'));

  it('are in the plan object by object, and made in their namespaces with their values', async () => {
    await setAddons(chart('{replicas: 2}'), NOTES);
    const plan = await succeed('plan', '-c', lab.clusterFile);
    for (const line of ['+ Namespace shop', '+ Deployment shop/shop-web', '+ Job shop/prepare'])
      expect(plan).toContain(line);
    expect(plan).toContain('+ ConfigMap notes/notes');
    expect(plan).not.toContain('only-when-deleted');
    await succeed('apply', '-c', lab.clusterFile);
    expect(await field('-n shop deployment shop-web', '.status.readyReplicas')).toBe('2');
    expect(await field('-n shop job prepare', '.status.succeeded')).toBe('1');
    expect(await field('-n shop gadget first', '.spec.greeting')).toBe('good morning');
    expect(await field('-n shop gadget first', '.spec.kubernetes')).toMatch(/^v1\.\d+\.\d+$/);
    expect(await field('-n notes configmap notes', '.data.who')).toBe('prod');
    expect(await drift(lab)).toEqual([]);
  });

  it('change with their values: what differs is shown, and a hook’s Job is made again', async () => {
    await setAddons(chart('{replicas: 1, greeting: hi}'), NOTES);
    await put('notes', {
      'base/notes.yaml': KUSTOMIZATION['base/notes.yaml']?.replace('who', 'more: x, who') ?? '',
    });
    const plan = await succeed('plan', '-c', lab.clusterFile);
    expect(plan).toMatch(/-\s+replicas: 2\n\s*\+\s+replicas: 1/);
    expect(plan).toContain('~ Job shop/prepare (deleted and made again)');
    expect(plan).toMatch(/\+\s+more: x/);
    await succeed('apply', '-c', lab.clusterFile);
    expect(await field('-n shop gadget first', '.spec.greeting')).toBe('hi');
    expect(await field('-n shop job prepare', '.spec.template.metadata.annotations.greeting')).toBe('hi');
    expect(await field('-n notes configmap notes', '.data.more')).toBe('x');
    expect(await drift(lab)).toEqual([]);
  });

  it('that can’t be rendered change nothing, and say what Helm says', async () => {
    await setAddons(chart('{replicas: many}'), NOTES);
    const refused = await keelson(['apply', '-c', lab.clusterFile]);
    expect(refused.exitCode).toBe(3);
    expect(refused.stderr).toMatch(/chart can't be rendered: .*schema/);
    expect(await field('-n shop deployment shop-web', '.status.readyReplicas')).toBe('1');
  });

  it('whose images the bundle lacks are told by bundle verify', async () => {
    await setAddons(chart('{image: "registry.example/shop:1"}'), NOTES);
    const bundle = /^ {2}bundle: (.*)$/m.exec(await readFile(lab.clusterFile, 'utf8'))?.[1] ?? '';
    const result = await keelson(['bundle', 'verify', bundle, '-c', lab.clusterFile]);
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toContain('image registry.example/shop:1 (the add-on shop)');
  });

  it('leave the cluster with their entry, but for what was there before', async () => {
    await setAddons(NOTES);
    await succeed('apply', '-c', lab.clusterFile);
    await expect
      .poll(() => field('namespaces', '.items[*].metadata.name'), { timeout: 60_000 })
      .not.toContain('shop');
    expect(await field('crds', '.items[*].metadata.name')).not.toContain('gadgets.charts.example.com');
    expect(await field('-n notes configmap notes', '.data.who')).toBe('prod');
    await kubectl(lab, 'create', 'namespace', 'shop');
    await setAddons(chart('{}'), NOTES);
    await succeed('apply', '-c', lab.clusterFile);
    await setAddons();
    await succeed('apply', '-c', lab.clusterFile);
    expect(await field('-n shop deployments', '.items[*].metadata.name')).toBe('');
    expect(await field('namespace shop', '.status.phase')).toBe('Active');
    expect(await drift(lab)).toEqual([]);
  });
});
