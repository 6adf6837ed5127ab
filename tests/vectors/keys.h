/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Keys of all kinds, and what was signed with them, in hex.
 *
 * `pub` and `priv`: the test vectors of peer-ids in the libp2p
 * specifications.  The rest was made from them by go-libp2p 0.51.0: the
 * peer id as text and as CID, a signature of KEY_MESSAGE, an envelope with a
 * peer record (seq 1700000000000, /ip4/192.0.2.7/tcp/4001 and
 * /ip6/2001:db8::7/udp/4001/quic-v1), and one with a reservation voucher
 * for KEY_VOUCHER_PEER until 1700000000.
 */
#ifndef ADIT_VECTORS_KEYS_H
#define ADIT_VECTORS_KEYS_H

#include "codec/key.h"

#define KEY_MESSAGE "adit: one message for all keys"
#define KEY_VOUCHER_PEER "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

struct key_vector {
    enum adit_key_type type;
    const char *id;
    const char *cid;
    const char *pub;
    const char *sig;
    const char *record;
    const char *voucher;
};

static const struct key_vector key_vectors[] = {
    {
        .type = ADIT_KEY_ED25519,
        .id = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
        .cid = "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pz"
               "yt6",
        .pub =
            "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d4"
            "74fce27e",
        .sig =
            "f686d660878f2925a091864e9072f7e37fe7621c7b5664f872175d4f45b078f2"
            "b5bff9761fa6c1b4205c0952b450bcf3df95cedabf3ef8441225686c8cd0d20f",
        .record =
            "0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e"
            "42d474fce27e120203011a560a260024080112201ed1e8fae2c4a144b8be8fd4"
            "b47bf3d3b34b871c3cacf6010f0e42d474fce27e1080d095ffbc311a0a0a0804"
            "c0000207060fa11a190a172920010db800000000000000000000000791020fa1"
            "cd032a406ef1ed9b6b60be96dcc9e13c3dd1d0594e66ac96f41ce1c5cccc2dc6"
            "d43fac16c16a0efd4f20aa11e5699f890e327369a42d911e6772a8b4198f44c9"
            "65e53403",
        .voucher =
            "0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e"
            "42d474fce27e120203021a560a260024080112201ed1e8fae2c4a144b8be8fd4"
            "b47bf3d3b34b871c3cacf6010f0e42d474fce27e12260024080112202ffa35a9"
            "9d3a3cfbb17bb7c1dc5561b18a8dcca4df38dc613ea859c37eb1336b1880e2cf"
            "aa062a40a9f3642286e658eb39c5af7fea76aa2e6f6d023dbb9c4c710320df1a"
            "834ebccd469158ef492c88075012e2488e6565909275bdbfa0ff0dba64b905af"
            "c9096c0c",
    },
    {
        .type = ADIT_KEY_SECP256K1,
        .id = "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY",
        .cid = "bafzaajiiaijcca3xo7uzjzcsyilaj6i54cj44qk7kqzpoao5rti2pjx6udtdb"
               "p6kte",
        .pub =
            "08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0"
            "e630bfca99",
        .sig =
            "3044022064d8819cfc61846abe7756f6620f6c520403795c13a643381c040f02"
            "98b6439302203978356f80ba263075f41740fb0f7d75fbd041ccfb7844f6c63f"
            "40f0ec67381d",
        .record =
            "0a2508021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6"
            "fea0e630bfca99120203011a570a27002508021221037777e994e452c21604f9"
            "1de093ce415f5432f701dd8cd1a7a6fea0e630bfca991080d095ffbc311a0a0a"
            "0804c0000207060fa11a190a172920010db80000000000000000000000079102"
            "0fa1cd032a473045022100a89cd6a52e7537bf484762ff8298e4052b17ea29e1"
            "deb0c0ddcd171730e7f9c50220219163e5e0090e55aee1c5b0b3a5925ca95b0e"
            "6612cf82ad9bb7a2b1481634e9",
        .voucher =
            "0a2508021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6"
            "fea0e630bfca99120203021a570a27002508021221037777e994e452c21604f9"
            "1de093ce415f5432f701dd8cd1a7a6fea0e630bfca9912260024080112202ffa"
            "35a99d3a3cfbb17bb7c1dc5561b18a8dcca4df38dc613ea859c37eb1336b1880"
            "e2cfaa062a46304402203bf8c10e53dcf070e50e42585a2866fcf2d5de4df421"
            "86232626f3493b078bb2022037c264c7e06ea2217a9d9d48139d815e33323a3a"
            "5543097bcdb54e57e50c9c5d",
    },
    {
        .type = ADIT_KEY_ECDSA,
        .id = "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk",
        .cid = "bafzbeidigywdclqvl5hxfefwp5onbffcfife7pza57mmfb4tiqmtkdjw64",
        .pub =
            "0803125b3059301306072a8648ce3d020106082a8648ce3d03010703420004de"
            "3d300fa36ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda020e8b"
            "6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e62",
        .sig =
            "304502203fb0ace2602d2d091580ebd116c46d46d861ba4d02fa412aacbfe1df"
            "4fa8de52022100a7a6a2dff861bc078f4ab5aae4a6ee48a7fd5fa8bf42291414"
            "f4a65eafeb3eae",
        .record =
            "0a5f0803125b3059301306072a8648ce3d020106082a8648ce3d030107034200"
            "04de3d300fa36ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda02"
            "0e8b6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e"
            "62120203011a520a22122068362c312e155f4f7290b67f5cd094a22a0a4fbf20"
            "efd8c287934419350d36f71080d095ffbc311a0a0a0804c0000207060fa11a19"
            "0a172920010db800000000000000000000000791020fa1cd032a47304502203a"
            "be1e8363789335ad7a7cf2dd4759425f37721476948d2b04dcf7e007fab85e02"
            "2100be692ef1735f3b13d02a1fc6022d81120e53347fae03dfa301b5e03a82dc"
            "46c8",
        .voucher =
            "0a5f0803125b3059301306072a8648ce3d020106082a8648ce3d030107034200"
            "04de3d300fa36ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda02"
            "0e8b6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e"
            "62120203021a520a22122068362c312e155f4f7290b67f5cd094a22a0a4fbf20"
            "efd8c287934419350d36f712260024080112202ffa35a99d3a3cfbb17bb7c1dc"
            "5561b18a8dcca4df38dc613ea859c37eb1336b1880e2cfaa062a483046022100"
            "e3674c5e8d911165060669132fc1a69dd8a367cba5701fcbf2d22fb814fdd39a"
            "02210087813d713b24cf39f07d0d4f9ec101acbcf8d118bc0d0dfb4209716a5e"
            "186f6d",
    },
    {
        .type = ADIT_KEY_RSA,
        .id = "QmaeANgBs1DTSxWSrPPtobgQuxW8XTfsS4ydbK4rCHzqxG",
        .cid = "bafzbeifwzcumbiyql7bhv7fe7mixg6i7aohegq75k234m63bnw6dbicmzu",
        .pub =
            "080012a60430820222300d06092a864886f70d01010105000382020f00308202"
            "0a0282020100e1beab071d08200bde24eef00d049449b07770ff9910257b2d7d"
            "5dda242ce8f0e2f12e1af4b32d9efd2c090f66b0f29986dbb645dae988008970"
            "4a94e5066d594162ae6ee8892e6ec70701db0a6c445c04778eb3de1293aa1a23"
            "c3825b85c6620a2bc3f82f9b0c309bc0ab3aeb1873282bebd3da03c33e76c21e"
            "9beb172fd44c9e43be32e2c99827033cf8d0f0c606f4579326c930eb4e854395"
            "ad941256542c793902185153c474bed109d6ff5141ebf9cd256cf58893a37f83"
            "729f97e7cb435ec679d2e33901d27bb35aa0d7e20561da08885ef0abbf8e2fb4"
            "8d6a5487047a9ecb1ad41fa7ed84f6e3e8ecd5d98b3982d2a901b4454991766d"
            "a295ab78822add5612a2df83bcee814cf50973e80d7ef38111b1bd87da2ae924"
            "38a2c8cbcc70b31ee319939a3b9c761dbc13b5c086d6b64bf7ae7dacc1462237"
            "5d92a8ff9af7eb962162bbddebf90acb32adb5e4e4029f1c96019949ecfbfeff"
            "d7ac1e3fbcc6b6168c34be3d5a2e5999fcbb39bba7adbca78eab09b9bc39f7fa"
            "4b93411f4cc175e70c0a083e96bfaefb04a9580b4753c1738a6a760ae1afd851"
            "a1a4bdad231cf56e9284d832483df215a46c1c21bdf0c6cfe951c18f1ee4078c"
            "79c13d63edb6e14feaeffabc90ad317e4875fe648101b0864097e998f0ca3025"
            "ef9638cd2b0caecd3770ab54a1d9c6ca959b0f5dcbc90caeefc4135baca6fd47"
            "5224269bbe1b0203010001",
        .sig =
            "bb527d36d73651948a4f9edd25da4482a8967ea66b9514c50a0dd578f25558c4"
            "d1b9e8a2a1d0868f642fe394ed954ae04de9abff0b0834e67513504d82feb858"
            "0493b1ae33e2dc3848e0b530c932f6cc78578f96257124310c8388bec06571e0"
            "3da5d629ade936ecd6470f9dc5fe6e03721d01d1ab44121a22dff15f310c0361"
            "15f7077b3fcdcddb9a38ce62095eda706f192a2482f8c7cc8899036fff555610"
            "292a42ef8bc88f163526e6741a3706613c7b87706da98aa8af3c9bbbb8030349"
            "9a670a19b16524bba27a3d68f820ad46e2b325d3dc170299e2e1af715b502dc8"
            "07c9236ebe0d264354430e8180164456f68af650fb43c521a11fda35781008fa"
            "2d63d4d73aa69cd291ca41088d080a54cd7972444d3b77734b78c84a609298d4"
            "1848844fb9786e03ed355bef8f25bc6c043a2e46233c1e8883edf6723ea97831"
            "c8200b696f808b53f17991e8cf3eec70999f0a2db12c1912a0d96d2d288187a9"
            "0fa0fc38fa4cb6b845ebcb95dd45dde8e447b822f5e500b049cb1730b49fee62"
            "1ea6703fec47918374295faeb3fb8bb24f2ee973b46f64bba1e842af3136822c"
            "a8b2f0ae42730d03787feb79b5587d783fe7d8fe1989016ce1e6465521f4d131"
            "8c2f8af33b18670206ba5f7a10e9c54574c9421bcfc5bd963ea39cce50a0ff0a"
            "873f5c1177efff0f91c4726ec7a738c482d7dbaa26bcc023ebe115b84a89baa7",
        .record =
            "0aab04080012a60430820222300d06092a864886f70d01010105000382020f00"
            "3082020a0282020100e1beab071d08200bde24eef00d049449b07770ff991025"
            "7b2d7d5dda242ce8f0e2f12e1af4b32d9efd2c090f66b0f29986dbb645dae988"
            "0089704a94e5066d594162ae6ee8892e6ec70701db0a6c445c04778eb3de1293"
            "aa1a23c3825b85c6620a2bc3f82f9b0c309bc0ab3aeb1873282bebd3da03c33e"
            "76c21e9beb172fd44c9e43be32e2c99827033cf8d0f0c606f4579326c930eb4e"
            "854395ad941256542c793902185153c474bed109d6ff5141ebf9cd256cf58893"
            "a37f83729f97e7cb435ec679d2e33901d27bb35aa0d7e20561da08885ef0abbf"
            "8e2fb48d6a5487047a9ecb1ad41fa7ed84f6e3e8ecd5d98b3982d2a901b44549"
            "91766da295ab78822add5612a2df83bcee814cf50973e80d7ef38111b1bd87da"
            "2ae92438a2c8cbcc70b31ee319939a3b9c761dbc13b5c086d6b64bf7ae7dacc1"
            "4622375d92a8ff9af7eb962162bbddebf90acb32adb5e4e4029f1c96019949ec"
            "fbfeffd7ac1e3fbcc6b6168c34be3d5a2e5999fcbb39bba7adbca78eab09b9bc"
            "39f7fa4b93411f4cc175e70c0a083e96bfaefb04a9580b4753c1738a6a760ae1"
            "afd851a1a4bdad231cf56e9284d832483df215a46c1c21bdf0c6cfe951c18f1e"
            "e4078c79c13d63edb6e14feaeffabc90ad317e4875fe648101b0864097e998f0"
            "ca3025ef9638cd2b0caecd3770ab54a1d9c6ca959b0f5dcbc90caeefc4135bac"
            "a6fd475224269bbe1b0203010001120203011a520a221220b6c8a8c0a3105fc2"
            "7afca4fb1173791f038e4343fd56b7c67b616dbc30a04ccd1080d095ffbc311a"
            "0a0a0804c0000207060fa11a190a172920010db8000000000000000000000007"
            "91020fa1cd032a800403059dae16d7222167bc1bb3291adbf97c50fa349b099e"
            "522f25dceb09d15200024eaed74fe9eb0b73d0b681b70cdf90a6714dc80fb5dd"
            "cbe3891b21216953aef55879284d3a3351b3424f5d8815b697458fbb53046746"
            "20e7d1234b77bec527d0924a14490961040ae91908c07c1b0dfebcd56012f9fb"
            "4bcfdfc2b7059b21c4e9cf5f03175dff79367bc9d5cb6db2ed9598790d83c1e3"
            "0ed3c0732f4196e0884b18de12f336e2add452646ce71301e35e7d23f1a5c6c5"
            "cbb66bc190ab3092478ff68c1a569ccf5aae8d31e113693627c7f804a9160f9f"
            "b34e388a471b415fa67d029811c6032ebd4263f551ad3b483d319a3f1d20e7b2"
            "c361787006c0eb3f2a5fef69275f620e0dea5534223996de23c495c61889f853"
            "318d72648b6e36c522c581bc25139dc672b5712060f281a36325118cce370020"
            "6aae0dc987f5c9c4090bca7c640e527ee64374f08e41e18c65f41108aa5e7322"
            "1d9a9752b605356e8d7aabc8cf91333bcc4ebe477467f4cd89fe806b33c89836"
            "001e90b32f93ffa07c0b6f7fcb1973bc7737edd05c6bc8a32e362fd16db076c2"
            "8906440743d94191070cd20e7971522c63b3c5ab23c72aa43249ce161f8fcff4"
            "93ecce5b08830ae79024723685ca2e9ae87fdc67ea4db19ba933ebd9b88a21d9"
            "7bffe9ed35c215bf30072cef464f6594a7a2a2ed4e6561aca155a0c56bf2fe33"
            "a2b13ba7461b926887",
        .voucher =
            "0aab04080012a60430820222300d06092a864886f70d01010105000382020f00"
            "3082020a0282020100e1beab071d08200bde24eef00d049449b07770ff991025"
            "7b2d7d5dda242ce8f0e2f12e1af4b32d9efd2c090f66b0f29986dbb645dae988"
            "0089704a94e5066d594162ae6ee8892e6ec70701db0a6c445c04778eb3de1293"
            "aa1a23c3825b85c6620a2bc3f82f9b0c309bc0ab3aeb1873282bebd3da03c33e"
            "76c21e9beb172fd44c9e43be32e2c99827033cf8d0f0c606f4579326c930eb4e"
            "854395ad941256542c793902185153c474bed109d6ff5141ebf9cd256cf58893"
            "a37f83729f97e7cb435ec679d2e33901d27bb35aa0d7e20561da08885ef0abbf"
            "8e2fb48d6a5487047a9ecb1ad41fa7ed84f6e3e8ecd5d98b3982d2a901b44549"
            "91766da295ab78822add5612a2df83bcee814cf50973e80d7ef38111b1bd87da"
            "2ae92438a2c8cbcc70b31ee319939a3b9c761dbc13b5c086d6b64bf7ae7dacc1"
            "4622375d92a8ff9af7eb962162bbddebf90acb32adb5e4e4029f1c96019949ec"
            "fbfeffd7ac1e3fbcc6b6168c34be3d5a2e5999fcbb39bba7adbca78eab09b9bc"
            "39f7fa4b93411f4cc175e70c0a083e96bfaefb04a9580b4753c1738a6a760ae1"
            "afd851a1a4bdad231cf56e9284d832483df215a46c1c21bdf0c6cfe951c18f1e"
            "e4078c79c13d63edb6e14feaeffabc90ad317e4875fe648101b0864097e998f0"
            "ca3025ef9638cd2b0caecd3770ab54a1d9c6ca959b0f5dcbc90caeefc4135bac"
            "a6fd475224269bbe1b0203010001120203021a520a221220b6c8a8c0a3105fc2"
            "7afca4fb1173791f038e4343fd56b7c67b616dbc30a04ccd1226002408011220"
            "2ffa35a99d3a3cfbb17bb7c1dc5561b18a8dcca4df38dc613ea859c37eb1336b"
            "1880e2cfaa062a8004c9482a23ec29b019a04ccfee522d11e415bc32b7978516"
            "9d832d62577353003c99b2f704a7e18a38e378b7258993bdce4e66b5b1410b32"
            "766753215aefdfe86e00d2e7618149523c6ec5dad8d6cc3f6443c0fe489aba09"
            "c19706b522b59e2ce44689b2a200a9d889c5fff4408e428869fed046fd13165e"
            "78eefc27af18251460fa7d274624e97c4dcd0f23679fe292ef5bb772d2a78806"
            "addddbd6c8fd6bfc29db745798d8837a84df5896f8396b6aff32927925baf981"
            "63ac7b6b8bc3cc3105e129969a5b8687fdef476cf8c890334c708b096fd4c716"
            "0102290d3f1610e13935b1f6b888d1a2e9f23debbe88ff436228d74f7f4e9531"
            "9b2247828460885ee66e00bb12205bbe639be461596dfa5758a8e420c14fb4e4"
            "f331c53248ad8be43784b50175e5aec89567d1b91f19610c420bba84b3786bef"
            "659c37f90c9ba9026bccea534435e6850a900d6cfa90d7c5bbf53136011e6b97"
            "4f07d5dbc74042f2274d36501fc95a264ce9c00bf4cef686a8ba975e7415e917"
            "04c093b6a90e3e9405dd8b307489212f8722d9ba27b4c130a877e8598d0835e8"
            "e7533ced52d361ebfb050b989b952f742f4b5b244894409a4bc54241054913f9"
            "8f819356e7fd56d51d70b227180ed1dac167efe5ca2a81217594669605100ce1"
            "5e473cbb49eadb14e353433b3dd1d9ee423d26f3a53c1c32790ac80c59e12dd4"
            "719b182934c9d4f3f0",
    },
};

/* The private key of the first. */
static const char key_ed25519_priv[] =
    "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9d"
    "a60fee7d1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d4"
    "74fce27e";

/* That of the second, a kind that we do not use ourselves. */
static const char key_secp256k1_priv[] =
    "0802122053dadf1d5a164d6b4acdb15e24aa4c5b1d3461bdbd42abedb0a4404d"
    "56ced8fb";

#endif
