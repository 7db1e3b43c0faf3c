//! rskafka: judge.py's protocol.  It has no idempotent producer, acks of all only, and configures no topics.
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{stdin, BufRead, Lines, StdinLock};

use chrono::{DateTime, TimeZone, Utc};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;

type Outcome<T> = Result<T, Box<dyn Error>>;

const HAS: &str = "codec=gzip codec=snappy codec=lz4 codec=zstd sorted-header null-both time partitions list trim delete";

fn decoded(text: &str) -> Option<Vec<u8>> {
    let byte = |n| u8::from_str_radix(&text[n..n + 2], 16).unwrap();
    (text != "-").then(|| (0..text.len()).step_by(2).map(byte).collect())
}

fn coded(data: Option<&[u8]>) -> String {
    data.map_or("-".into(), |bytes| bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn time(millis: &str) -> Outcome<DateTime<Utc>> {
    Utc.timestamp_millis_opt(millis.parse()?).single().ok_or("no such time".into())
}

fn record(w: &[&str]) -> Outcome<Record> {
    let mut headers = BTreeMap::new();
    for pair in w[5].split(',').filter(|p| *p != ".") {
        let (name, value) = pair.split_once('=').ok_or("no =")?;
        headers.insert(String::from_utf8(decoded(name).unwrap())?, decoded(value).unwrap());
    }
    Ok(Record { key: decoded(w[3]), value: decoded(w[4]), headers, timestamp: time(w[2])? })
}

async fn part(client: &Client, topic: &str, partition: i32) -> Outcome<PartitionClient> {
    Ok(client.partition_client(topic, partition, UnknownTopicHandling::Retry).await?)
}

async fn produce(client: &Client, w: &[&str], lines: &mut Lines<StdinLock<'_>>) -> Outcome<()> {
    let compression = match w[2] {
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => Compression::NoCompression,
    };
    let (mut order, mut batches) = (Vec::new(), BTreeMap::<i32, Vec<Record>>::new());
    for _ in 0..w[5].parse::<usize>()? {
        let line = lines.next().ok_or("no record")??;
        let words: Vec<&str> = line.split('\t').collect();
        order.push(words[0].parse::<i32>()?);
        batches.entry(order[order.len() - 1]).or_default().push(record(&words)?);
    }
    let mut offsets = BTreeMap::new();
    for (partition, records) in batches {
        let produced = part(client, w[1], partition).await?.produce(records, compression).await?;
        offsets.insert(partition, produced.into_iter());
    }
    for partition in order {
        println!("{} {}", partition, offsets.get_mut(&partition).unwrap().next().ok_or("no offset")?);
    }
    Ok(())
}

async fn consume(client: &Client, topic: &str, partition: &str, from: &str, many: usize) -> Outcome<()> {
    let place = part(client, topic, partition.parse()?).await?;
    let at = match from {
        "beginning" => OffsetAt::Earliest,
        "end" => OffsetAt::Latest,
        millis => OffsetAt::Timestamp(time(millis)?),
    };
    let (mut offset, mut left) = (place.get_offset(at).await?, many);
    if from == "end" {
        println!("waiting");
    }
    while left > 0 {
        let (records, _) = place.fetch_records(offset, 1..1_000_000, 20_000).await?;
        if records.is_empty() {
            return Err("nothing came".into());
        }
        for r in records {
            let pair = |(name, value): (&String, &Vec<u8>)| format!("{}={}", coded(Some(name.as_bytes())), coded(Some(value)));
            let pairs: Vec<String> = r.record.headers.iter().map(pair).collect();
            println!("{}\t{}\t{}\t{}\t{}\t{}", partition, r.offset, r.record.timestamp.timestamp_millis(),
                coded(r.record.key.as_deref()), coded(r.record.value.as_deref()),
                if pairs.is_empty() { ".".into() } else { pairs.join(",") });
            offset = r.offset + 1;
            left = left.saturating_sub(1);
        }
    }
    Ok(())
}

async fn answer(client: &Client, w: &[&str], lines: &mut Lines<StdinLock<'_>>) -> Outcome<()> {
    match w[0] {
        "has" => println!("{HAS}"),
        "produce" => produce(client, w, lines).await?,
        "consume" => consume(client, w[1], w[2], w[3], w[4].parse()?).await?,
        "partitions" => {
            let topics = client.list_topics().await?;
            println!("{}", topics.iter().find(|t| t.name == w[1]).ok_or("no such topic")?.partitions.len());
        }
        "list" => client.list_topics().await?.iter().for_each(|t| println!("{}", t.name)),
        "trim" => part(client, w[1], w[2].parse()?).await?.delete_records(w[3].parse()?, 5000).await?,
        "delete" => client.controller_client()?.delete_topic(w[1], 5000).await?,
        other => return Err(other.into()),
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let env = |name: &str| std::env::var(name);
    let login = SaslConfig::ScramSha256(Credentials::new(env("KAFKA_USER")?, env("KAFKA_PASSWORD")?));
    let client = ClientBuilder::new(vec![env("KAFKA_BOOTSTRAP")?]).sasl_config(login).build().await?;
    let mut lines = stdin().lock().lines();
    while let Some(line) = lines.next() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        match answer(&client, &words, &mut lines).await {
            Ok(()) => println!("ok"),
            Err(problem) => println!("error {}", problem.to_string().replace('\n', " ")),
        }
    }
    Ok(())
}
