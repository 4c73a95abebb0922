import { KeelsonError } from '../errors/keelson-error.js';

/** A certificate request as its sender wrote it, its signature checked. */
export interface CertificateRequest {
  commonName: string;
  organizations: readonly string[];
  /** Names and addresses that it asks for, as `dns:…` and `ip:…`. */
  sans: readonly string[];
  publicKey: { rawData: ArrayBuffer };
}

/** Reads a PKCS #10 request. Throws PKI when it can't be read or is not signed by its own key. */
export async function readRequest(pem: string, place: string): Promise<CertificateRequest> {
  const library = await import('./x509-library.js');
  let request: InstanceType<typeof library.Pkcs10CertificateRequest>;
  try {
    request = new library.Pkcs10CertificateRequest(pem);
  } catch (error) {
    throw new KeelsonError('PKI', `${place} is no certificate request`, { cause: error });
  }
  if (!(await request.verify())) {
    throw new KeelsonError('PKI', `${place} is not signed by the key that it names`);
  }
  const sans = request.getExtension('2.5.29.17');
  const names = sans === null ? [] : new library.SubjectAlternativeNameExtension(sans.rawData).names.items;
  return {
    commonName: request.subjectName.getField('CN').join(','),
    organizations: request.subjectName.getField('O'),
    sans: names.map((name) => `${name.type}:${name.value}`),
    publicKey: { rawData: request.publicKey.rawData },
  };
}
