import type { ClusterConfig } from './types.js';

const MASK = '<redacted>';

/** The configuration with bootstrap tokens (but for their public ids) and certificateKey masked. */
export function withoutSecrets(config: ClusterConfig): ClusterConfig {
  const { bootstrapTokens, certificateKey, ...rest } = config.init;
  return {
    ...config,
    init: {
      ...rest,
      bootstrapTokens: bootstrapTokens.map((token) => ({
        ...token,
        token: `${token.token.split('.')[0] ?? ''}.${MASK}`,
      })),
      ...(certificateKey === undefined ? {} : { certificateKey: MASK }),
    },
  };
}
