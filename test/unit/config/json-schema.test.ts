import { expect, test } from 'vitest';
import { configSchema } from '../../../src/config/schema/json-schema.js';

type Node = Record<string, unknown>;

test('editors get a draft-7 schema of every kind', () => {
  const schema = configSchema() as { $schema: string; oneOf: Node[]; definitions: Record<string, Node> };
  expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
  expect(schema.oneOf.map((entry) => entry.$ref)).toEqual(
    Object.keys(schema.definitions).map((kind) => `#/definitions/${kind}`),
  );
  expect(Object.keys(schema.definitions)).toEqual([
    'Cluster',
    'ClusterConfiguration',
    'InitConfiguration',
    'JoinConfiguration',
    'KubeletConfiguration',
    'KubeProxyConfiguration',
  ]);
});

test('unknown fields are refused, and what has a default is not required', () => {
  const { definitions } = configSchema() as { definitions: Record<string, Node> };
  expect(definitions.ClusterConfiguration).toMatchObject({
    additionalProperties: false,
    required: ['apiVersion', 'kind', 'kubernetesVersion'],
  });
});

test('every field of the Cluster document and of the kubeadm documents is described', () => {
  const { definitions } = configSchema() as { definitions: Record<string, Node> };
  const bare: string[] = [];
  for (const kind of ['Cluster', 'ClusterConfiguration', 'InitConfiguration', 'JoinConfiguration']) {
    collectBare(definitions[kind] ?? {}, kind, bare);
  }
  expect(bare).toEqual([]);
});

function collectBare(node: Node, path: string, bare: string[]): void {
  for (const [name, field] of Object.entries((node.properties ?? {}) as Record<string, Node>)) {
    const here = `${path}.${name}`;
    const fixed = ['apiVersion', 'kind'].includes(name);
    if (!fixed && typeof field.description !== 'string') bare.push(here);
    collectBare(field, here, bare);
  }
  if (node.items !== undefined) collectBare(node.items as Node, `${path}[]`, bare);
}
