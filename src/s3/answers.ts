import { KeelsonError } from '../errors/keelson-error.js';

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replaceAll(/&(#x?[0-9a-fA-F]+|\w+);/g, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
    const code = name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return String.fromCodePoint(code);
  });
}

/** Text of the first element of that name, or null. S3's answers have neither comments nor CDATA. */
export function element(xml: string, name: string): string | null {
  const text = new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`).exec(xml)?.[1];
  return text === undefined ? null : plain(text);
}

export interface ListedObject {
  key: string;
  size: number;
}

/** One page of ListObjectsV2, and what asks for the next one. */
export function listing(xml: string): { objects: ListedObject[]; next: string | null } {
  const objects = [...xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)].map(([, entry = '']) => ({
    key: element(entry, 'Key') ?? '',
    size: Number(element(entry, 'Size') ?? 0),
  }));
  const more = element(xml, 'IsTruncated') === 'true';
  return { objects, next: more ? element(xml, 'NextContinuationToken') : null };
}

const HINTS: Readonly<Record<string, string>> = {
  InvalidAccessKeyId:
    'the server does not know this access key: check AWS_ACCESS_KEY_ID or the credentials file',
  SignatureDoesNotMatch: 'check the secret access key, and that region and endpoint are those of the bucket',
  RequestTimeTooSkewed: 'this machine’s clock is wrong: set it right',
  ExpiredToken: 'get new temporary credentials',
  AccessDenied: 'let these credentials put, list, read and delete objects there',
  NoSuchBucket: 'make the bucket, or name another one',
  NoSuchKey: 'look at what there is: the name is case-sensitive',
  PermanentRedirect: 'the bucket is in another region: name that with --s3-region',
  AuthorizationHeaderMalformed: 'the bucket is in another region: name that with --s3-region',
};

const CODES = {
  401: 'AUTHENTICATION',
  403: 'AUTHENTICATION',
  404: 'USAGE',
  409: 'CONFLICT',
  412: 'CONFLICT',
} as const;

/** What a server refused, in its own words. */
export function refusal(what: string, status: number, xml: string): KeelsonError {
  const code = element(xml, 'Code') ?? '';
  const said = element(xml, 'Message') ?? '';
  const words = [code, said].filter((text) => text !== '').join(': ') || `status ${status}`;
  const kind = CODES[status as keyof typeof CODES] ?? 'CONNECTION';
  return new KeelsonError(kind, `${what}: ${words}`, {
    hint: HINTS[code] ?? 'check endpoint, bucket and credentials',
    details: { status, code },
  });
}
