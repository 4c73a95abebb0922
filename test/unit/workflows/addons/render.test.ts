import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChartSource } from '../../../../src/config/types.js';
import { readObjects } from '../../../../src/workflows/addons/objects.js';
import { type Rendering, rendering } from '../../../../src/workflows/addons/rendering.js';

// helm and kustomize are scripts here: what they are told is what is tested. The real ones render in test/long.

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keelson-render-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function script(name: string, body: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

const of = (programs: Partial<Pick<Rendering, 'helm' | 'kustomize' | 'cacheDir'>>): Rendering => ({
  ...rendering({
    kubernetesVersion: 'v1.36.3',
    bundle: () => null,
    note: () => undefined,
    signal: new AbortController().signal,
  }),
  ...programs,
});

const chart = (more: Partial<ChartSource> = {}): ChartSource => ({
  from: { file: '/charts/web' },
  release: 'web',
  namespace: 'shop',
  valuesFiles: [],
  values: {},
  apiVersions: [],
  ...more,
});

/** A helm that answers with a ConfigMap of what it was told. */
const TELLING = `printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: told}\\ndata:\\n'
printf '  args: "%s"\\n' "$*"
printf "  stdin: '%s'\\n" "$(cat)"
printf '  cluster: "%s"\\n' "$KUBECONFIG$HELM_NAMESPACE"`;

describe('a chart', () => {
  it('is rendered for the cluster’s version, its values by stdin and on top of those of files', async () => {
    const helm = await script('helm', TELLING);
    const source = chart({ valuesFiles: ['/a.yaml'], values: { size: 3 }, apiVersions: ['x.io/v1'] });
    const [namespace, told] = await readObjects([{ chart: source }], of({ helm: async () => helm }));
    expect(namespace).toMatchObject({ kind: 'Namespace', metadata: { name: 'shop' } });
    expect(told?.metadata.namespace).toBe('shop');
    expect(told?.data).toEqual({
      args: 'template web /charts/web --namespace shop --include-crds --kube-version v1.36.3 --api-versions x.io/v1 --values /a.yaml --values -',
      stdin: '{"size":3}',
      cluster: '',
    });
  });

  it('that helm refuses is an error with what helm says', async () => {
    const helm = await script(
      'helm',
      'echo "Error: values don\'t meet the schema" >&2; echo "more" >&2; exit 1',
    );
    await expect(readObjects([{ chart: chart() }], of({ helm: async () => helm }))).rejects.toMatchObject({
      code: 'CONFIG',
      message: "the chart /charts/web can't be rendered: values don't meet the schema",
    });
  });

  it('that gives something else each time is refused, with what differs', async () => {
    const helm = await script(
      'helm',
      `cat > /dev/null; printf 'apiVersion: v1\\nkind: Secret\\nmetadata: {name: login}\\nstringData: {password: "%s"}\\n' $$`,
    );
    await expect(readObjects([{ chart: chart() }], of({ helm: async () => helm }))).rejects.toThrow(
      'the chart /charts/web gives something else each time: Secret login',
    );
  });

  it('of a repository is fetched once, its digest checked, and then taken from the cache', async () => {
    const helm = await script(
      'helm',
      `if [ "$1" = pull ]; then echo "$*" >> ${directory}/pulls; for last; do :; done; printf archive > "$last/web-1.2.3.tgz"; exit 0; fi\n${TELLING}`,
    );
    const sha256 = createHash('sha256').update('archive').digest('hex');
    const from = { repository: 'https://charts.example', name: 'web', version: '1.2.3', sha256 };
    const cacheDir = join(directory, 'cache');
    const render = (more: Partial<typeof from>) =>
      readObjects(
        [{ chart: chart({ from: { ...from, ...more } }) }],
        of({ helm: async () => helm, cacheDir }),
      );
    await expect(render({ sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringContaining(`has the SHA-256 ${sha256}, not 0000`),
    });
    const [, told] = await render({});
    expect(told?.data).toMatchObject({
      args: expect.stringContaining(`${cacheDir}/charts/${sha256}.tgz`),
    });
    await render({});
    expect(await readdir(join(cacheDir, 'charts'))).toEqual([`${sha256}.tgz`]);
    const pulls = (await readFile(join(directory, 'pulls'), 'utf8')).trim().split('\n');
    expect(pulls).toHaveLength(2);
    expect(pulls[0]).toMatch(/^pull web --repo https:\/\/charts\.example --version 1\.2\.3 --destination /);
  });

  it('of a registry is pulled by its whole address; one that can’t be fetched is an error', async () => {
    const helm = await script('helm', 'echo "Error: $2 not found" >&2; exit 1');
    const from = { repository: 'oci://r.example/charts/', name: 'web', version: '1.2.3', sha256: '' };
    await expect(
      readObjects([{ chart: chart({ from }) }], of({ helm: async () => helm })),
    ).rejects.toMatchObject({
      code: 'CONNECTION',
      message:
        "the chart web 1.2.3 of oci://r.example/charts/ can't be fetched: oci://r.example/charts/web not found",
    });
  });
});

describe('a kustomization', () => {
  it('is built from its directory, or refused with what kustomize says', async () => {
    const program = await script(
      'kubectl',
      `[ "$2" = /good ] || { echo "error: accumulating resources" >&2; exit 1; }
printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: built}\\n'`,
    );
    const how = of({ kustomize: async () => ({ program, args: ['kustomize'] }) });
    expect(await readObjects([{ kustomize: '/good' }], how)).toMatchObject([{ metadata: { name: 'built' } }]);
    await expect(readObjects([{ kustomize: '/bad' }], how)).rejects.toMatchObject({
      code: 'CONFIG',
      message: "the kustomization /bad can't be built: accumulating resources",
    });
  });
});
