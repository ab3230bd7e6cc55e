/** Where others learn to check service account tokens (feature 8-102). */
import { exportJWK } from 'jose';
import type { ApiRequest, ApiResponse } from './request.ts';
import type { TokenIssuer } from './service-account-tokens.ts';

/** `url`: what the server is reached by. */
export async function issuerResponse({ path }: ApiRequest, tokens: TokenIssuer, url: string): Promise<ApiResponse> {
  if (path === '/openid/v1/jwks') {
    const keys = await Promise.all(
      tokens.keys.map(async ({ publicKey, algorithm, id }) => ({
        use: 'sig',
        alg: algorithm,
        kid: id,
        ...(await exportJWK(publicKey)),
      })),
    );
    return json('application/jwk-set+json', { keys });
  }
  return json('application/json', {
    issuer: tokens.issuer,
    jwks_uri: `${url}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(tokens.keys.map(({ algorithm }) => algorithm))],
  });
}

function json(type: string, value: object): ApiResponse {
  return {
    status: 200,
    headers: { 'content-type': type, 'cache-control': 'public, max-age=3600' },
    body: JSON.stringify(value),
  };
}
