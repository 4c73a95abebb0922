import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { goBinaryName, goBuildArguments, moduleFolder, sumOf } from '../../../src/bundle/go-component.js';
import { compareGoVersions, neededGoVersion } from '../../../src/bundle/go-program.js';
import { packagedModulesDir } from '../../../src/bundle/paths.js';
import { goRecipes, kubernetesRecipe } from '../../../src/bundle/recipes.js';
import { etcdModuleVersion, RELEASES, releaseFor } from '../../../src/bundle/releases.js';
import { requireReady } from '../../../src/bundle/tools.js';

describe.each(Object.entries(RELEASES))('the module sets of %s', (version, release) => {
  test.each(goRecipes(version, release).map((recipe) => [recipe.name, recipe] as const))(
    '%s is pinned with a sum, and its packages are the tools of its go.mod',
    async (_name, recipe) => {
      const folder = moduleFolder(packagedModulesDir(), recipe);
      const [goMod, goSum] = await Promise.all(
        ['go.mod', 'go.sum'].map((name) => readFile(join(folder, name), 'utf8')),
      );
      expect(goMod).toContain(`${recipe.module} ${recipe.version}`);
      expect(sumOf(goSum ?? '', recipe.module)).toMatch(/^h1:/);
      for (const path of recipe.builds.flatMap((build) => Object.keys(build.packages)))
        expect(goMod).toContain(path);
    },
  );
});

test('a version without module set is refused with those there are', () => {
  expect(() => releaseFor('v1.2.3')).toThrowError(
    expect.objectContaining({ code: 'BUNDLE', hint: expect.stringContaining('v1.36.3') }),
  );
});

test("an etcd image's tag gives its module's version", () => {
  expect(etcdModuleVersion('3.6.8-0')).toBe('v3.6.8');
});

test('builds are reproducible and stamped', () => {
  const [build] = kubernetesRecipe('v1.36.3').builds;
  const args = goBuildArguments(build ?? { packages: {} }, ['-p=1']);
  expect(args.slice(0, 3)).toEqual(['build', '-trimpath', '-buildvcs=false']);
  expect(args.at(-1)).toBe('-p=1');
  const ldflags = args[args.indexOf('-ldflags') + 1];
  expect(ldflags).toContain('-s -w -buildid=');
  expect(ldflags).toContain('-X k8s.io/component-base/version.gitVersion=v1.36.3');
  expect(ldflags).toContain('-X k8s.io/client-go/pkg/version.buildDate=1970-01-01T00:00:00Z');
});

test.each([
  ['go.etcd.io/etcd/server/v3', 'server'],
  ['k8s.io/kubernetes/cmd/kubelet', 'kubelet'],
])('go names the binary of %s %s', (path, name) => {
  expect(goBinaryName(path)).toBe(name);
});

test('the highest go version of all module sets is the one needed', async () => {
  const folders = goRecipes('v1.36.3', releaseFor('v1.36.3')).map((recipe) =>
    moduleFolder(packagedModulesDir(), recipe),
  );
  await Promise.all(folders.map((folder) => access(folder)));
  expect(await neededGoVersion(folders)).toBe('1.26.0');
  expect(compareGoVersions('go1.19.8', '1.21')).toBe(-1);
  expect(compareGoVersions('1.26', '1.26.0')).toBe(0);
  expect(compareGoVersions('1.26.8', '1.9.1')).toBe(1);
});

test('what a build lacks is named with the command that installs it', () => {
  const readiness = {
    missing: [
      { tool: 'libseccomp-dev', purpose: 'runc starts no pod without it', package: 'libseccomp-dev' },
    ],
    installCommands: [
      ['apt-get', 'update'],
      ['apt-get', 'install', '--yes', 'libseccomp-dev'],
    ],
    debian: true,
    disk: [{ path: '/root', freeBytes: 1e9, neededBytes: 14e9 }],
  };
  expect(() => requireReady(readiness)).toThrowError(
    expect.objectContaining({
      code: 'PREFLIGHT',
      message: expect.stringContaining('/root has 1.0 GB free of the 14.0 GB needed'),
      hint: expect.stringContaining('apt-get update && apt-get install --yes libseccomp-dev'),
    }),
  );
  expect(() => requireReady({ ...readiness, missing: [], installCommands: [], disk: [] })).not.toThrow();
});
