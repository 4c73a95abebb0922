// What a Kubernetes minor knows of flags and feature gates, written as src/config/known-options/vX.Y.ts.
// Usage: node scripts/known-options.mjs v1.36.3 DIR_OF_KUBERNETES_BINARIES DIR_OF_ETCD
// Flags are those of each binary's own --help; gates are read from the sources in Go's module cache.
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [version, kubernetes, etcd] = process.argv.slice(2);
if (version === undefined || kubernetes === undefined || etcd === undefined)
  throw new Error('usage: known-options.mjs VERSION KUBERNETES_DIR ETCD_DIR');
const minor = version.split('.').slice(0, 2).join('.');
const cache = execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
const source = (module) =>
  join(cache, 'k8s.io', `${module}@${module === 'kubernetes' ? version : version.replace('v1', 'v0')}`);

function flagsOf(binary) {
  const { stdout, stderr } = spawnSync(binary, ['--help'], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const found = [...`${stdout}${stderr}`.matchAll(/^ +(?:-\w, )?--([a-z0-9][a-z0-9-]*)/gm)].map(
    ([, name]) => name,
  );
  return [...new Set(found)].sort();
}

const FEATURES = [
  ['kubernetes', 'pkg/features'],
  ['apiserver', 'pkg/features'],
  ['component-base', 'metrics/features'],
  ['component-base', 'logs/api/v1'],
  ['component-base', 'zpages/features'],
  ['client-go', 'features'],
  ['controller-manager', 'pkg/features'],
  ['apiextensions-apiserver', 'pkg/features'],
];

function gates() {
  const text = FEATURES.flatMap(([module, folder]) => {
    const directory = join(source(module), folder);
    return readdirSync(directory)
      .filter((name) => name.endsWith('.go') && !name.endsWith('_test.go'))
      .map((name) => readFileSync(join(directory, name), 'utf8'));
  }).join('\n');
  const names = new Map(
    [...text.matchAll(/^\s*(\w+)\s+(?:featuregate\.)?Feature = "(\w+)"/gm)].map(([, ident, name]) => [
      ident,
      name,
    ]),
  );
  const locked = new Map();
  for (const [, ident, body] of text.matchAll(/^\t(?:\w+\.)?(\w+): \{\n((?:\t\t.*\n)+?)\t\},/gm)) {
    const last = [...body.matchAll(/\{.*PreRelease.*\}/g)].at(-1)?.[0];
    if (last !== undefined && /LockToDefault: true/.test(last))
      locked.set(ident, /Default: true/.test(last.replace('LockToDefault: true', '')));
  }
  return [...names]
    .map(([ident, name]) => (locked.has(ident) ? `${name}=${locked.get(ident)}` : name))
    .concat('AllAlpha', 'AllBeta')
    .sort();
}

function wrapped(words) {
  const lines = [''];
  for (const word of words) {
    if (`${lines.at(-1)} ${word}`.length > 108) lines.push('');
    lines[lines.length - 1] = `${lines.at(-1)} ${word}`.trim();
  }
  return `words(\`\n${lines.map((line) => `    ${line}`).join('\n')}\n  \`)`;
}

const flags = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet'].map((name) => [
  name,
  flagsOf(join(kubernetes, name)),
]);
flags.push(['etcd', flagsOf(join(etcd, 'etcd'))]);
const entries = flags.map(([name, list]) => `  ${/-/.test(name) ? `'${name}'` : name}: ${wrapped(list)},`);
const text = `// Written by scripts/known-options.mjs from Kubernetes ${version}.
import { type KnownOptions, words } from './known-options.js';

const flags = {
${entries.join('\n')}
};

const gates = ${wrapped(gates()).replaceAll('\n  ', '\n')};

export const ${minor.toUpperCase().replace('.', '_')}: KnownOptions = { flags, gates };
`;
writeFileSync(new URL(`../src/config/known-options/${minor}.ts`, import.meta.url), text);
