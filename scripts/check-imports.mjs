// Holds the arrows of docs/architecture.md: which folder may import which, phases never import phases, and no
// file imports itself by way of others. Run by `npm run lint`.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** What works with hosts and clusters may import. */
const BELOW = ['engine', 'bundle', 'cluster', 'manifests', 'join', 'pki', 'host', 'config', 'errors'];

/** Who may import whom; a folder may always import itself. With `(types)`: only `import type`. */
const MAY_IMPORT = {
  bin: ['cli'],
  cli: ['workflows', 'report', 'phases', 'lab', 'backup', 's3', 'web', ...BELOW],
  // src/index.ts and src/library.ts.
  library: ['workflows', 'phases', 'backup', ...BELOW],
  workflows: ['phases', 'backup', 's3', 'web (types)', ...BELOW],
  phases: BELOW.map((layer) => (layer === 'host' ? 'host (types)' : layer)),
  engine: ['host (types)', 'errors'],
  report: ['engine (types)', 'errors'],
  lab: ['host', 'config (types)', 'errors'],
  bundle: ['host (types)', 'web', 'archive', 'errors'],
  s3: ['web', 'errors'],
  web: ['errors'],
  backup: ['cluster', 'archive', 'errors'],
  cluster: ['host (types)', 'errors'],
  host: ['archive', 'config (types)', 'errors'],
  join: ['pki', 'config', 'errors'],
  manifests: ['config', 'errors'],
  pki: ['config', 'errors'],
  config: ['errors'],
  archive: [],
  errors: [],
};

/** Pure text functions, for everybody who may write for people or for a shell. */
const PURE = ['src/host/quote.ts', 'src/report/table.ts'];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const files = ['bin', 'src'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`),
);
const known = new Set(files);
const problems = [];
/** @type {Map<string, string[]>} */
const graph = new Map();

for (const file of files) {
  const targets = importsOf(file);
  graph.set(
    file,
    targets.map(({ target }) => target),
  );
  for (const { target, typesOnly, line } of targets) {
    const report = (text) => problems.push(`${file}:${line}: ${text}`);
    if (!known.has(target)) report(`imports ${target}, which is not there`);
    else if (target === 'src/index.ts')
      report('imports src/index.ts, which is for those who use the library');
    else if (!PURE.includes(target) && !mayImport(layerOf(file), layerOf(target), typesOnly)) {
      const types = (MAY_IMPORT[layerOf(file)] ?? []).includes(`${layerOf(target)} (types)`);
      report(
        `${layerOf(file)} may not import ${types ? 'more than types from ' : ''}${layerOf(target)} (${target})`,
      );
    } else if (areaOf(file) !== null && areaOf(target) !== null && areaOf(file) !== areaOf(target))
      report(
        `phases never import phases: what ${areaOf(file)} and ${areaOf(target)} share lies directly in src/phases (${target})`,
      );
  }
}
problems.push(...cycles().map((cycle) => `cycle: ${cycle.join(' → ')}`));

for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`${problems.length} imports go against docs/architecture.md`);
  process.exitCode = 1;
} else {
  console.log(
    `${files.length} files, ${[...graph.values()].flat().length} imports: all as docs/architecture.md has them`,
  );
}

function layerOf(file) {
  const [top, folder, ...rest] = file.split('/');
  if (top === 'bin') return 'bin';
  return rest.length === 0 ? 'library' : (folder ?? '');
}

/** The area of a phase: `certs` for src/phases/certs/…; null for all other files. */
function areaOf(file) {
  return /^src\/phases\/([^/]+)\//.exec(file)?.[1] ?? null;
}

function mayImport(from, to, typesOnly) {
  if (from === to) return true;
  const allowed = MAY_IMPORT[from] ?? [];
  return allowed.includes(to) || (typesOnly && allowed.includes(`${to} (types)`));
}

/** Relative imports, re-exports and dynamic imports of a file. */
function importsOf(file) {
  const source = ts.createSourceFile(
    file,
    readFileSync(join(root, file), 'utf8'),
    ts.ScriptTarget.ES2023,
    true,
  );
  const found = [];
  const add = (node, specifier, typesOnly) => {
    if (!specifier.startsWith('.')) return;
    const target = normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts');
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.push({ target, typesOnly, line: line + 1 });
  };
  const visit = (node) => {
    const from = 'moduleSpecifier' in node ? node.moduleSpecifier : undefined;
    if (from !== undefined && ts.isStringLiteral(from)) add(node, from.text, isTypesOnly(node));
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteral(argument)) add(node, argument.text, false);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isTypesOnly(node) {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = ts.isImportDeclaration(node) ? node.importClause : undefined;
  if (clause === undefined) return false;
  const { namedBindings: names } = clause;
  if (ts.isTypeOnlyImportDeclaration(clause)) return true;
  return (
    clause.name === undefined &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.every((element) => element.isTypeOnly)
  );
}

/** Each cycle once, as the files on it. */
function cycles() {
  const found = [];
  const state = new Map();
  const path = [];
  const visit = (file) => {
    state.set(file, 'open');
    path.push(file);
    for (const target of graph.get(file) ?? []) {
      if (state.get(target) === 'open') found.push([...path.slice(path.indexOf(target)), target]);
      else if (!state.has(target)) visit(target);
    }
    path.pop();
    state.set(file, 'done');
  };
  for (const file of files) if (!state.has(file)) visit(file);
  return found;
}
