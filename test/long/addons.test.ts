import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drift, type E2eLab, keelson, kubectl, labDown, labUp, succeed } from '../e2e/support.js';

/** On every node already. */
const IMAGE = 'registry.k8s.io/pause:3.10.2';
const PASSWORD = 'correct horse battery staple';

const WIDGETS = `apiVersion: example.com/v1
kind: Widget
metadata: {name: first, namespace: shop}
spec: {size: 3}
---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: shop}
stringData: {password: ${PASSWORD}}
`;
const shop = (replicas: number, image = IMAGE): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "${image}"}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {size: {type: integer, maximum: 9}}}}
`;

describe('add-ons', () => {
  let lab: E2eLab;
  const put = (name: string, text: string) => writeFile(join(lab.directory, name), text);
  const setAddons = async (...addons: string[]) => {
    const text = (await readFile(lab.clusterFile, 'utf8')).replace(/^ {2}addons:\n( {4}.*\n)*/m, '');
    const block = addons.length === 0 ? '' : `  addons:\n${addons.map((line) => `    - ${line}\n`).join('')}`;
    await writeFile(lab.clusterFile, text.replace(/^spec:\n/m, `spec:\n${block}`));
  };
  const names = async (...what: string[]) =>
    (await kubectl(lab, 'get', ...what, '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
  beforeAll(async () => {
    lab = await labUp('e2eadd', '--workers', '1');
  });
  afterAll(() => labDown('e2eadd'));

  it('are made in the order of their needs, and ready when apply ends', async () => {
    await put('widgets.yaml', WIDGETS);
    await put('shop.yaml', shop(2));
    await setAddons(
      '{name: widgets, needs: [shop], manifests: [{file: widgets.yaml}]}',
      '{name: shop, manifests: [{file: shop.yaml}]}',
    );
    const plan = await succeed('plan', '-c', lab.clusterFile);
    expect(plan).not.toContain(PASSWORD);
    expect(plan.indexOf('Deployment shop/web')).toBeLessThan(plan.indexOf('Widget shop/first'));
    await succeed('apply', '-c', lab.clusterFile);
    const ready = await kubectl(
      lab,
      '-n',
      'shop',
      'get',
      'deployment',
      'web',
      '-o',
      'jsonpath={.status.readyReplicas}',
    );
    expect(ready).toBe('2');
    expect(await kubectl(lab, '-n', 'shop', 'get', 'widget', 'first', '-o', 'jsonpath={.spec.size}')).toBe(
      '3',
    );
    expect(await drift(lab)).toEqual([]);
  });

  it('follow their manifests; values of Secrets are not shown', async () => {
    await put('shop.yaml', shop(1));
    await put('widgets.yaml', WIDGETS.replace(PASSWORD, `${PASSWORD}!`).replace('size: 3', 'size: 4'));
    const plan = await succeed('plan', '-c', lab.clusterFile);
    expect(plan).toMatch(/-\s+replicas: 2\n\s*\+\s+replicas: 1/);
    expect(plan).toMatch(/password: <masked, another value>/);
    expect(plan).not.toContain(PASSWORD);
    await succeed('apply', '-c', lab.clusterFile);
    const secret = await kubectl(
      lab,
      '-n',
      'shop',
      'get',
      'secret',
      'login',
      '-o',
      'jsonpath={.data.password}',
    );
    expect(Buffer.from(secret, 'base64').toString()).toBe(`${PASSWORD}!`);
    expect(await drift(lab)).toEqual([]);
  });

  it('that the API refuses change nothing, and say what is wrong', async () => {
    await put('widgets.yaml', WIDGETS.replace('size: 3', 'size: 10'));
    const refused = await keelson(['apply', '-c', lab.clusterFile]);
    expect(refused.exitCode).toBe(4);
    expect(refused.stderr).toMatch(/Widget shop\/first is refused: .*spec\.size/);
    await put('widgets.yaml', WIDGETS);
    await succeed('apply', '-c', lab.clusterFile);
  });

  it('that do not become ready in time fail with what their pods wait for, and stay in the plan', async () => {
    await put('shop.yaml', shop(1, 'registry.example/none:1'));
    await setAddons(
      '{name: widgets, needs: [shop], manifests: [{file: widgets.yaml}]}',
      '{name: shop, wait: 10s, manifests: [{file: shop.yaml}]}',
    );
    const failed = await keelson(['apply', '-c', lab.clusterFile]);
    expect(failed.exitCode).toBe(7);
    expect(failed.stderr).toContain('Deployment shop/web: ');
    expect(failed.stderr).toContain('registry.example/none:1');
    expect(await succeed('plan', '-c', lab.clusterFile)).toContain('wait until shop is ready');
    await put('shop.yaml', shop(1));
    await succeed('apply', '-c', lab.clusterFile);
    expect(await drift(lab)).toEqual([]);
  });

  it('leave the cluster with what they made when they leave the file', async () => {
    await setAddons('{name: shop, manifests: [{file: shop.yaml}]}');
    const plan = await succeed('plan', '-c', lab.clusterFile);
    expect(plan).toContain('- Widget shop/first');
    expect(plan).not.toContain('- Deployment');
    await succeed('apply', '-c', lab.clusterFile);
    expect(await names('-n', 'shop', 'widgets')).toEqual(['']);
    expect(await names('-n', 'shop', 'deployments')).toEqual(['web']);
    await setAddons();
    await succeed('apply', '-c', lab.clusterFile);
    expect(await names('-n', 'kube-system', 'configmaps')).not.toContain('keelson-objects-addon-shop');
    expect(await names('crds')).not.toContain('widgets.example.com');
    await expect.poll(() => names('namespaces'), { timeout: 60_000 }).not.toContain('shop');
    expect(await drift(lab)).toEqual([]);
  });
});
