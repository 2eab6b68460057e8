export default async function stopBroker(): Promise<void> {
  await globalThis.mercuryTestBroker?.release();
}
