//! Embedding by a model behind the HTTP interface that OpenAI made and that many servers of models
//! have: `POST {base}/embeddings`, see <https://platform.openai.com/docs/api-reference/embeddings>.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::http::{Request, Response, StatusCode};

use crate::model::embed::{EmbedError, Embedder};

/// An embedder over the interface of OpenAI's `/v1/embeddings`, as servers like Ollama, vLLM,
/// llama.cpp and text-embeddings-inference have it too.
///
/// Texts are sent in batches. What may pass is tried again, with a pause that doubles, or as long as
/// the server asks for: no answer, status 408, 429 and 5xx. Redirects are not followed, since the key
/// would go with them.
///
/// ```no_run
/// use std::sync::Arc;
/// use memory_store::{HttpEmbedder, MemoryStore};
///
/// let dimension = 768.try_into()?;
/// let model = HttpEmbedder::new("http://127.0.0.1:11434/v1", "nomic-embed-text", dimension);
/// let store = MemoryStore::options().embedder(Arc::new(model)).open("memories")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpEmbedder {
    url: String,
    model: String,
    dimension: usize,
    key: Option<String>,
    batch: NonZeroUsize,
    attempts: NonZeroU32,
    timeout: Duration,
    most_tokens: Option<u64>,
    tokens: AtomicU64,
}

/// Before the second attempt; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A server that asks for more than this is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl HttpEmbedder {
    /// A model behind a base address, as `http://127.0.0.1:11434/v1`, and the dimension of its
    /// vectors.
    pub fn new(base: impl Into<String>, model: impl Into<String>, dimension: NonZeroUsize) -> Self {
        let base = base.into();
        Self {
            url: format!("{}/embeddings", base.trim_end_matches('/')),
            model: model.into(),
            dimension: dimension.get(),
            key: None,
            batch: NonZeroUsize::new(64).expect("not zero"),
            attempts: NonZeroU32::new(4).expect("not zero"),
            timeout: Duration::from_secs(30),
            most_tokens: None,
            tokens: AtomicU64::new(0),
        }
    }

    /// Sets the key that is sent as a bearer token. Default: none.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets how many texts are sent together at most. Default: 64.
    #[must_use]
    pub fn batch(mut self, texts: NonZeroUsize) -> Self {
        self.batch = texts;
        self
    }

    /// Sets how often a batch is sent at most. Default: 4.
    #[must_use]
    pub fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets how long one attempt may take. Default: 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many tokens may be used until the store is closed, as the server counts them: what
    /// would be embedded after that is refused. Default: any number.
    #[must_use]
    pub fn most_tokens(mut self, tokens: u64) -> Self {
        self.most_tokens = Some(tokens);
        self
    }

    /// How many tokens were used, as the server counts them.
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// Embeds texts that are not blank.
    fn embed_batch(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let asked = Asked {
            model: &self.model,
            input: texts,
            encoding_format: "float",
        };
        let body = serde_json::to_string(&asked)?;
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            self.check_budget()?;
            let failed = match self.send(&body) {
                Ok(answer) => return self.take(answer, texts.len()),
                Err(failed) => failed,
            };
            let next = failed.pause.unwrap_or(pause);
            let is_last = attempt >= self.attempts.get();
            if !failed.may_pass || is_last || next > LONGEST_PAUSE {
                let attempts = if attempt > 1 {
                    format!(" (attempt {attempt})")
                } else {
                    String::new()
                };
                return Err(format!("{}: {}{attempts}", self.url, failed.detail).into());
            }
            std::thread::sleep(next);
            pause *= 2;
        }
        unreachable!("the last attempt returns")
    }

    fn check_budget(&self) -> Result<(), EmbedError> {
        let used = self.tokens();
        match self.most_tokens {
            Some(most) if used >= most => {
                Err(format!("{used} tokens are used, the limit is {most}").into())
            }
            _ => Ok(()),
        }
    }

    fn send(&self, body: &str) -> Result<String, Failed> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(self.timeout));
        let agent: ureq::Agent = config.build().into();
        let mut request = Request::builder()
            .method("POST")
            .uri(&self.url)
            .header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let request = request.body(body).map_err(|error| Failed {
            detail: error.to_string(),
            may_pass: false,
            pause: None,
        })?;
        let mut answer = agent.run(request).map_err(Failed::of)?;
        // Numbers of up to some 30 bytes, and what stands between them.
        let most = (self.batch.get() * self.dimension * 32 + (1 << 20)) as u64;
        let text = answer.body_mut().with_config().limit(most).read_to_string();
        let text = text.map_err(Failed::of)?;
        if answer.status() == StatusCode::OK {
            Ok(text)
        } else {
            Err(Failed::refused(&answer, &text))
        }
    }

    /// The vectors of an answer, in the order of the texts.
    fn take(&self, answer: String, texts: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
        let answer: Answer = serde_json::from_str(&answer)
            .map_err(|error| format!("{}: no answer as expected: {error}", self.url))?;
        let used = answer.usage.map_or(0, |usage| usage.total_tokens);
        self.tokens.fetch_add(used, Ordering::Relaxed);
        let mut vectors = vec![None; texts];
        for item in answer.data {
            let place = vectors.get_mut(item.index);
            let place = place.ok_or_else(|| format!("{}: index {}", self.url, item.index))?;
            *place = Some(item.embedding);
        }
        let vectors: Option<Vec<Vec<f32>>> = vectors.into_iter().collect();
        vectors.ok_or_else(|| format!("{}: fewer vectors than texts", self.url).into())
    }
}

impl Embedder for HttpEmbedder {
    fn name(&self) -> &str {
        &self.model
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        Ok(self.embed_all(&[text])?.swap_remove(0))
    }

    fn embed_all(&self, texts: &[&str]) -> Result<Vec<Option<Vec<f32>>>, EmbedError> {
        let is_blank = |text: &str| text.trim().is_empty();
        // Servers refuse blank texts.
        let sent: Vec<&str> = texts
            .iter()
            .copied()
            .filter(|text| !is_blank(text))
            .collect();
        let mut vectors = Vec::with_capacity(sent.len());
        for batch in sent.chunks(self.batch.get()) {
            vectors.extend(self.embed_batch(batch)?);
        }
        let mut vectors = vectors.into_iter();
        let vector = |text: &&str| if is_blank(text) { None } else { vectors.next() };
        Ok(texts.iter().map(vector).collect())
    }
}

impl fmt::Debug for HttpEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key.
        f.debug_struct("HttpEmbedder")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("dimension", &self.dimension)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    model: &'a str,
    input: &'a [&'a str],
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    total_tokens: u64,
}

/// Why an attempt failed.
struct Failed {
    detail: String,
    /// Whether another attempt may succeed.
    may_pass: bool,
    /// How long the server asks to wait.
    pause: Option<Duration>,
}

impl Failed {
    fn of(error: ureq::Error) -> Self {
        let may_pass = matches!(
            error,
            ureq::Error::Io(_)
                | ureq::Error::Timeout(_)
                | ureq::Error::ConnectionFailed
                | ureq::Error::Protocol(_)
        );
        Self {
            detail: error.to_string(),
            may_pass,
            pause: None,
        }
    }

    fn refused<T>(answer: &Response<T>, text: &str) -> Self {
        /// Of what the server says.
        const SHOWN: usize = 300;
        let status = answer.status();
        let pause = answer.headers().get("retry-after");
        let pause = pause.and_then(|pause| pause.to_str().ok()?.parse().ok());
        let shown: String = text.chars().take(SHOWN).collect();
        Self {
            detail: format!("status {status}: {shown}"),
            may_pass: status.is_server_error()
                || status == StatusCode::REQUEST_TIMEOUT
                || status == StatusCode::TOO_MANY_REQUESTS,
            pause: pause.map(Duration::from_secs),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, sync_channel};

    use serde_json::{Value, json};

    use super::*;

    /// Answers one request after the other with these heads and bodies; an empty answer closes the
    /// connection. The requests' heads and bodies are told.
    fn serve(answers: Vec<String>) -> (String, Receiver<(String, Value)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (told, requests) = sync_channel(100);
        let serve = move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(&stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    reader.read_line(&mut head).unwrap();
                }
                let lower = head.to_lowercase();
                let length = lower.split("content-length: ").nth(1).unwrap();
                let length = length.lines().next().unwrap().trim().parse().unwrap();
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let body = serde_json::from_slice(&body).unwrap();
                told.send((head, body)).unwrap();
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
        };
        let thread = std::thread::Builder::new();
        thread.name("stub".into()).spawn(serve).unwrap();
        (base, requests)
    }

    fn answer(status: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    fn vectors(vectors: &[(usize, [f32; 2])], tokens: u64) -> String {
        let item =
            |(index, vector): &(usize, [f32; 2])| json!({"index": index, "embedding": vector});
        let data: Vec<Value> = vectors.iter().map(item).collect();
        let body = json!({"data": data, "usage": {"total_tokens": tokens}});
        answer("200 OK", "", &body.to_string())
    }

    fn embedder(base: String) -> HttpEmbedder {
        HttpEmbedder::new(base, "model-1", 2.try_into().unwrap())
    }

    fn message<T: fmt::Debug>(result: Result<T, EmbedError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn texts_are_sent_in_batches_and_their_vectors_put_in_order() {
        let (base, requests) = serve(vec![
            vectors(&[(1, [3.0, 4.0]), (0, [1.0, 2.0])], 7),
            vectors(&[(0, [5.0, 6.0])], 2),
        ]);
        let embedder = embedder(base).batch(2.try_into().unwrap()).key("secret");
        let found = embedder.embed_all(&["a", " ", "b", "c"]).unwrap();
        let expected = [
            Some(vec![1.0, 2.0]),
            None,
            Some(vec![3.0, 4.0]),
            Some(vec![5.0, 6.0]),
        ];
        assert_eq!(found, expected);
        assert_eq!(embedder.tokens(), 9);
        let (head, body) = requests.recv().unwrap();
        assert!(
            head.starts_with("POST /v1/embeddings HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.to_lowercase()
                .contains("authorization: bearer secret\r\n"),
            "{head}"
        );
        let expected = json!({"model": "model-1", "input": ["a", "b"], "encoding_format": "float"});
        assert_eq!(body, expected);
        assert_eq!(requests.recv().unwrap().1["input"], json!(["c"]));
        assert!(!format!("{embedder:?}").contains("secret"));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_the_rest_is_told() {
        let (base, requests) = serve(vec![
            answer("429 Too Many Requests", "Retry-After: 0\r\n", "slow down"),
            String::new(),
            answer("503 Service Unavailable", "Retry-After: 0\r\n", ""),
            vectors(&[(0, [1.0, 0.0])], 1),
            answer("401 Unauthorized", "", "no such key"),
            answer(
                "500 Internal Server Error",
                "Retry-After: 3600\r\n",
                "broken",
            ),
            answer("302 Found", "Location: http://127.0.0.1:1/\r\n", ""),
        ]);
        let embedder = embedder(base);
        assert_eq!(embedder.embed("text").unwrap(), Some(vec![1.0, 0.0]));
        assert_eq!(requests.iter().take(4).count(), 4);
        let refused = message(embedder.embed("text"));
        assert!(
            refused.ends_with("/v1/embeddings: status 401 Unauthorized: no such key"),
            "{refused}"
        );
        let too_long = message(embedder.embed("text"));
        assert!(
            too_long.contains("status 500"),
            "not waited for an hour: {too_long}"
        );
        let redirected = message(embedder.embed("text"));
        assert!(redirected.contains("302"), "{redirected}");
    }

    #[test]
    fn answers_that_are_none_and_budgets_that_are_used_are_errors() {
        let (base, _requests) = serve(vec![
            answer("200 OK", "", "{\"data\": []}"),
            answer("200 OK", "", "not json"),
            vectors(&[(7, [1.0, 0.0])], 3),
        ]);
        let embedder = embedder(base).most_tokens(3).attempts(NonZeroU32::MIN);
        assert!(message(embedder.embed("text")).ends_with("fewer vectors than texts"));
        assert!(message(embedder.embed("text")).contains("no answer as expected"));
        assert!(message(embedder.embed("text")).ends_with("index 7"));
        let refused = message(embedder.embed("text"));
        assert_eq!(refused, "3 tokens are used, the limit is 3");
        let nobody = HttpEmbedder::new("http://127.0.0.1:1", "m", 2.try_into().unwrap());
        let nobody = nobody.attempts(2.try_into().unwrap());
        let refused = message(nobody.embed("text"));
        assert!(refused.contains("(attempt 2)"), "{refused}");
    }
}
