// An app that nobody here wrote: matrix-js-sdk, with the Rust crypto of Element. It tells as lines of JSON what it sees, and
// does what lines of JSON on its standard input say: {"do": "say", "room": "!r", "text": "x"}; see the last lines.
// node app.mjs URL USER PASSWORD [SECRET]: with a secret, 32 bytes in base64, it does as Element does: it has cross-signing
// keys, which other apps of the user's get from the server with that secret, and no dealings with devices that are not signed.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";
import readline from "node:readline";

Promise.withResolvers ??= () => {  // Node 20 does not have it yet
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
};
const require = createRequire(path.join(process.cwd(), "x.js"));
const sdk = await import(pathToFileURL(require.resolve("matrix-js-sdk")));
const {
    decodeRecoveryKey, OnlySignedDevicesIsolationMode, VerificationPhase, VerifierEvent, VerificationRequestEvent,
} = await import(pathToFileURL(path.join(path.dirname(require.resolve("matrix-js-sdk")), "crypto-api/index.js")));
for (const level of ["trace", "debug", "info", "log", "warn", "error"]) console[level] = () => {};
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

let [url, user, password, secret] = process.argv.slice(2);
const login = await sdk.createClient({ baseUrl: url }).loginRequest({
    type: "m.login.password", identifier: { type: "m.id.user", user }, password,
});
const client = sdk.createClient({
    baseUrl: url, userId: login.user_id, accessToken: login.access_token, deviceId: login.device_id,
    cryptoCallbacks: {
        getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], Buffer.from(secret, "base64")],
        cacheSecretStorageKey: () => {},
    },
});
await client.initRustCrypto({ useIndexedDB: false });
const cryptography = client.getCrypto();
cryptography.globalBlacklistUnverifiedDevices = false;
if (secret) cryptography.setDeviceIsolationMode(new OnlySignedDevicesIsolationMode());

async function picture(content) {
    const [server, id] = (content.file?.url ?? content.url).slice("mxc://".length).split("/");
    const answer = await fetch(`${url}/_matrix/client/v1/media/download/${server}/${id}`, {
        headers: { Authorization: `Bearer ${login.access_token}` },
    });
    const data = Buffer.from(await answer.arrayBuffer());
    if (!content.file) return data;
    const key = await crypto.subtle.importKey("jwk", content.file.key, { name: "AES-CTR" }, false, ["decrypt"]);
    const counter = Buffer.from(content.file.iv, "base64");
    return Buffer.from(await crypto.subtle.decrypt({ name: "AES-CTR", counter, length: 64 }, key, data));
}

const seen = new Set();
async function look(event) {
    if (event.isDecryptionFailure()) {
        tell({ undecryptable: event.getRoomId(), sender: event.getSender(), why: event.decryptionFailureReason });
        return;
    }
    if (event.getType() !== "m.room.message" || seen.has(event.getId())) return;
    const content = event.getContent();
    seen.add(event.getId());
    const told = { room: event.getRoomId(), sender: event.getSender(), content };
    if (content.msgtype === "m.image") told.picture = (await picture(content)).toString("base64");
    tell(told);
}
client.on(sdk.RoomEvent.Timeline, (event) => look(event));
client.on(sdk.MatrixEventEvent.Decrypted, (event) => look(event));
client.on(sdk.RoomMemberEvent.Membership, (event, member) => {
    if (member.userId === login.user_id && member.membership === "invite") client.joinRoom(member.roomId);
});
await client.startClient({ initialSyncLimit: 50 });
await new Promise((resolve) => client.once(sdk.ClientEvent.Sync, resolve));

const identifier = { type: "m.id.user", user };
async function sign(more) {
    await cryptography.bootstrapCrossSigning({
        authUploadDeviceSigningKeys: (request) => request({ type: "m.login.password", identifier, password }), ...more,
    });
}
if (secret) {
    await cryptography.userHasCrossSigningKeys(user, true);  // those of the user's other apps
    for (let steady = 0; steady < 10; steady++) {  // an answer to an earlier question may bring the old keys back
        if (!await cryptography.isCrossSigningReady()) {
            steady = 0;
            await sign();
            await cryptography.bootstrapSecretStorage({
                createSecretStorageKey: async () => ({ privateKey: Buffer.from(secret, "base64") }),
            });
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}
tell({ started: login.device_id });

async function whenKnown(ask) {  // devices and people become known with the rooms that one is in
    for (;;) {
        const answer = await ask().catch(() => null);
        if (answer) return answer;
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}

async function verify(request) {
    await new Promise((resolve, reject) => {
        const look = () => {
            if (request.phase === VerificationPhase.Ready) resolve();
            if (request.phase === VerificationPhase.Cancelled) reject(new Error(request.cancellationCode));
        };
        request.on(VerificationRequestEvent.Change, look);
        look();
    });
    const verifier = await request.startVerification("m.sas.v1");
    verifier.on(VerifierEvent.ShowSas, (sas) => {
        tell({ emoji: sas.sas.emoji.map(([symbol]) => symbol) });
        sas.confirm();
    });
    await verifier.verify();
}

const does = {
    async say({ room, text }) {
        await client.sendTextMessage(room, text);
    },
    async reset() {  // somebody lost their keys, or somebody else took the account over
        await sign({ setupNewCrossSigning: true });
        tell({ reset: true });
    },
    async restore({ recovery }) {  // somebody types the recovery key of the account
        secret = Buffer.from(decodeRecoveryKey(recovery)).toString("base64");
        await cryptography.userHasCrossSigningKeys(user, true);
        await sign();  // with the keys from secret storage
        await cryptography.loadSessionBackupPrivateKeyFromSecretStorage();
        const { imported, total } = await cryptography.restoreKeyBackup();
        const { trusted } = await cryptography.isKeyBackupTrusted(await cryptography.getKeyBackupInfo());
        tell({ restored: imported, total, trusted, ready: await cryptography.isCrossSigningReady() });
    },
    async verify({ user, device }) {
        await verify(await whenKnown(() => cryptography.requestDeviceVerification(user, device)));
        tell({ verified: (await cryptography.getDeviceVerificationStatus(user, device)).localVerified });
    },
    async verifyInRoom({ user, room }) {
        await verify(await whenKnown(() => cryptography.requestVerificationDM(user, room)));
        tell({ verified: true });  // both sides are done
    },
};
for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    does[order.do](order).catch((error) => tell({ failed: order.do, why: String(error) }));
}
