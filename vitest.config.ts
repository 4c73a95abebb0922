import { defineConfig } from 'vitest/config';

const project = (name: string, include: string[], testTimeout: number, serial = false) => ({
  test: {
    name,
    include,
    testTimeout,
    hookTimeout: testTimeout,
    ...(serial ? { fileParallelism: false, sequence: { concurrent: false } } : {}),
  },
});

export default defineConfig({
  test: {
    globalSetup: ['test/temporary-folder.ts'],
    projects: [
      project('unit', ['test/unit/**/*.test.ts'], 120_000),
      project('contract', ['test/contract/**/*.test.ts'], 60_000),
      project('kubeadm', ['test/kubeadm/**/*.test.ts'], 600_000),
      project('e2e', ['test/e2e/**/*.test.ts'], 1_200_000, true),
      project('long', ['test/long/**/*.test.ts'], 1_800_000, true),
    ],
  },
});
