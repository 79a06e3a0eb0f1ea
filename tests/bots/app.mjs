// An app that nobody here wrote: matrix-js-sdk, with the Rust crypto of Element. It tells as lines of JSON what it sees.
// node app.mjs URL USER PASSWORD [BOT DEVICE]: the last two to verify a device by emoji.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "x.js"));
const sdk = await import(pathToFileURL(require.resolve("matrix-js-sdk")));
const { VerificationPhase, VerifierEvent, VerificationRequestEvent } = await import(
    pathToFileURL(path.join(path.dirname(require.resolve("matrix-js-sdk")), "crypto-api/index.js"))
);
for (const level of ["trace", "debug", "info", "log", "warn", "error"]) console[level] = () => {};
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const [url, user, password, bot, botDevice] = process.argv.slice(2);
const login = await sdk.createClient({ baseUrl: url }).loginRequest({
    type: "m.login.password", identifier: { type: "m.id.user", user }, password,
});
const client = sdk.createClient({
    baseUrl: url, userId: login.user_id, accessToken: login.access_token, deviceId: login.device_id,
});
await client.initRustCrypto({ useIndexedDB: false });
client.getCrypto().globalBlacklistUnverifiedDevices = false;

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
    if (event.isDecryptionFailure() || event.getType() !== "m.room.message" || seen.has(event.getId())) return;
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
tell({ started: login.device_id });

if (bot) {
    const cryptography = client.getCrypto();
    let request = null;
    while (!request) {  // devices become known with the rooms that one is in
        await new Promise((resolve) => setTimeout(resolve, 200));
        request = await cryptography.requestDeviceVerification(bot, botDevice).catch(() => null);
    }
    await new Promise((resolve, reject) => {
        request.on(VerificationRequestEvent.Change, () => {
            if (request.phase === VerificationPhase.Ready) resolve();
            if (request.phase === VerificationPhase.Cancelled) reject(new Error("cancelled"));
        });
    });
    const verifier = await request.startVerification("m.sas.v1");
    verifier.on(VerifierEvent.ShowSas, (sas) => {
        tell({ emoji: sas.sas.emoji.map(([symbol]) => symbol) });
        sas.confirm();
    });
    await verifier.verify();
    const status = await cryptography.getDeviceVerificationStatus(bot, botDevice);
    tell({ verified: status.localVerified });
}
