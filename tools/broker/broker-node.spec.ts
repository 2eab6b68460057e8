import { checkLocalhost } from './broker-node';

it('a machine without "localhost" is told so at once, and what to do', async () => {
  const unknown = async () => {
    throw new Error('getaddrinfo ENOTFOUND localhost');
  };
  await expect(checkLocalhost(unknown)).rejects.toThrow(/"localhost" cannot be resolved.*127\.0\.0\.1 localhost/);
  await expect(checkLocalhost()).resolves.toBeUndefined();
});
