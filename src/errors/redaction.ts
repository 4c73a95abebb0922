const MASK = '<redacted>';

const SECRET_SHAPES: readonly RegExp[] = [
  // PEM private keys, also those cut off before their end line.
  /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[\s\S]*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|$)/g,
  // Bootstrap tokens: id.secret, 6 and 16 characters (kubeadm's format).
  /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g,
  // Embedded keys and tokens of kubeconfigs; what a plan has masked already says so itself.
  /(?<=(?:client-key-data|token|password):\s*)(?!<masked)[^\s"']{8,}/g,
  // Bearer tokens in headers.
  /(?<=Bearer )[A-Za-z0-9._~+/-]{8,}=*/g,
];

/**
 * `text` with every given secret and everything that has the shape of a secret masked.
 * @param secrets exact values to mask; those shorter than 4 characters are ignored, since masking them
 * would garble the text without hiding anything.
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  let result = text;
  for (const secret of secrets) {
    if (secret.length >= 4) result = result.replaceAll(secret, MASK);
  }
  for (const shape of SECRET_SHAPES) result = result.replace(shape, MASK);
  return result;
}
